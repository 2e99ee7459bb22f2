"""Run what the book can reproduce, and say what it made.

The graph is in workflow/Snakefile. This script starts Snakemake, keeps its talk in a log, and shows what a reader wants to know: what has
finished, how long it took, and which files there are now."""
import os, subprocess, sys, time
from pathlib import Path
from typing import Annotated

import typer

from reid_nb.core import PROFILE_NAMES, known_name, write_whole

ROOT = Path(__file__).resolve().parent.parent


def outputs(profile): return {f: f.stat().st_mtime for f in (ROOT/'runs'/profile).rglob('*.ipynb') if not f.name.endswith('.part.ipynb')}


def figures(): return {f: f.stat().st_mtime_ns for f in (ROOT/'figures').rglob('*') if f.is_file()}


def write_index():
    "figures/index.md: every table and figure, from what lies there."
    folders = sorted({f.parent for f in figures() if f.parent != ROOT/'figures'})
    lines = ['# Tables and figures', '', 'What `make reproduce` wrote.', '']
    for folder in folders:
        lines += [f'## {folder.name}', '']
        for stem in sorted({f.stem for f in folder.iterdir()}):
            files = sorted(f.name for f in folder.glob(f'{stem}.*'))
            lines += [f"- **{stem}**: {', '.join(f'[{n}]({folder.name}/{n})' for n in files)}"]
            lines += [f'\n  ![{stem}]({folder.name}/{stem}.png)\n'] if f'{stem}.png' in files else []
        lines += ['']
    with write_whole(ROOT/'figures'/'index.md') as f: f.write_text('\n'.join(lines))


def watch(process, before, profile, started):
    "A line for each notebook as it finishes."
    told = set()
    while True:
        running = process.poll() is None
        for f, when in sorted(outputs(profile).items(), key=lambda x: x[1]):
            if f not in told and before.get(f) != when:
                told.add(f)
                print(f'{time.time() - started:6.0f} s  finished {f.relative_to(ROOT/"runs"/profile).with_suffix("")}', flush=True)
        if not running: return told
        time.sleep(.3)


def main(
    profile:Annotated[str, typer.Option(help='Sizes and lengths: smoke, mini, gpu or paper.')]='mini',
    jobs:Annotated[int, typer.Option(help='Notebooks run side by side.')]=2,
    only:Annotated[str, typer.Option(help='Names of notebooks, with commas between, such as 18_loaders,papers/datasets.')]=''
):
    "Execute the notebooks that are out of date, and list what was made."
    try:
        known_name(profile, PROFILE_NAMES, 'profile')
        there = [p.relative_to(ROOT/'nbs').with_suffix('').as_posix() for p in (ROOT/'nbs').rglob('*.ipynb') if '.ipynb_checkpoints' not in p.parts]
        for name in filter(None, only.split(',')): known_name(name, sorted(there), 'notebook')
    except ValueError as e: sys.exit(f'reproduce: {e}')
    started, before, figures_before = time.time(), outputs(profile), figures()
    log = ROOT/'runs'/profile/'log.txt'
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, '-m', 'snakemake', '-s', 'workflow/Snakefile', '--cores', str(jobs), '--rerun-incomplete', '--keep-going',
               '--rerun-triggers', 'mtime', '--config', f'profile={profile}', *([f'only={only}'] if only else [])]
    print(f'running the book with the profile {profile}; what Snakemake says is in {log.relative_to(ROOT)}', flush=True)
    threads = {k: str(max(1, (os.cpu_count() or 1) // jobs)) for k in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS')}
    with open(log, 'w') as f: process = subprocess.Popen(command, cwd=ROOT, stdout=f, stderr=subprocess.STDOUT, env={**os.environ, **threads})
    try: told = watch(process, before, profile, started)
    except KeyboardInterrupt: process.terminate(); process.wait(); sys.exit('\nstopped; what has finished is kept, and the next call goes on from there')
    if process.returncode:
        failed = [str(f.relative_to(ROOT)) for f in (ROOT/'runs'/profile).rglob('*.part.ipynb')]
        sys.exit(f"reproduce: some notebooks failed. Open {', '.join(failed) or log.relative_to(ROOT)} to see where.")
    write_index()
    made = [f for f, when in figures().items() if figures_before.get(f) != when and f.name != 'index.md']
    folders = sorted({str(f.parent.relative_to(ROOT)) for f in made})
    print(f'{len(told)} notebooks run, {len(outputs(profile)) - len(told)} were up to date, in {time.time() - started:.0f} s')
    print(f'executed notebooks: runs/{profile}/\ntables and figures: ' + (f"{len(made)} files written in {', '.join(folders)}" if made else 'unchanged') + '; see figures/index.md')


if __name__ == '__main__': typer.run(main)
