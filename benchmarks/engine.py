"""Speed, memory and start of the data engine.

    python benchmarks/engine.py                # all of it, some minutes; writes benchmarks/engine.md
    python benchmarks/engine.py speed 128x64   # one part alone

Every measurement is a process of its own, with one thread, and counts the processor's time, so that other work on the machine
hardly matters; start and datasets on disk count the clock's. Images have shadows, passers-by, camera effects and JPEG, and are
those of the spec `street`: many people, places, cameras. `steady` counts the rendering only, with people and places at hand;
`whole` counts everything that a dataset costs, people and places built included. Linux only."""
import json, os, resource, subprocess, sys, tempfile, time
from pathlib import Path

for library in ('OMP', 'NUMBA', 'OPENBLAS'): os.environ.setdefault(f'{library}_NUM_THREADS', '1')

HERE, GSPR_IMAGES, GSPR_HOURS = Path(__file__).parent, 739_128, 156 # the SMCR paper: about 156 hours for GSPR

def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

def size_of(text): return tuple(map(int, text.split('x')))


def start(size='128x64'):
    "From nothing to the first picture: imports, compiled code from disk, one person, one place."
    begin = time.perf_counter()
    import reid_nb.engine.specs as S
    imported = time.perf_counter() - begin
    S.VirtualDataset('mini_gspr', size=size_of(size))[0]
    return dict(imported=imported, first_picture=time.perf_counter() - begin)

def identity():
    "Building a person, mean of a hundred."
    from reid_nb.engine.attributes import draw_attributes
    from reid_nb.engine.people import make_person
    for i in range(3): make_person(draw_attributes(i))
    begin = time.process_time()
    for i in range(100, 200): make_person(draw_attributes(i))
    return dict(ms=10 * (time.process_time() - begin))

def speed(size='128x64', images=600):
    "Images a second of one core, with people and places at hand, and on the way to there; peak memory."
    from reid_nb.engine.specs import VirtualDataset, render_seen
    d = VirtualDataset('street', size=size_of(size))
    shots = d.shots(range(int(images)))
    begin = time.process_time()
    for s in shots: render_seen(s)
    cold, times = time.process_time() - begin, []
    few = d.shots(range(42))                                        # three people: all is at hand
    for s in few: render_seen(s)
    for _ in range(4):
        begin = time.process_time()
        for s in few: render_seen(s)
        times.append((time.process_time() - begin) / len(few))
    return dict(steady=1 / min(times), whole=int(images) / cold, mib=peak())

def pose_speed():
    "Poses a second."
    from reid_nb.engine.attributes import draw_attributes
    from reid_nb.engine.motion import pose
    from reid_nb.engine.people import make_person
    p = make_person(draw_attributes(3)); pose(p, 'walk', .1, 3)
    begin = time.process_time()
    for i in range(2000): pose(p, 'walk', i / 2000, 3)
    return dict(ms=(time.process_time() - begin) / 2)

def dataset(spec='mini_gspr', scale='.1', size='128x64', workers='2'):
    "A dataset on disk, start of the processes included."
    from reid_nb.engine.specs import render_dataset
    with tempfile.TemporaryDirectory() as tmp:
        begin = time.perf_counter()
        render_dataset(spec, Path(tmp)/'d', scale=float(scale), size=size_of(size), workers=int(workers))
        seconds = time.perf_counter() - begin
        files = list(Path(tmp).rglob('*.jpg'))
        cpu = sum(resource.getrusage(w).ru_utime + resource.getrusage(w).ru_stime for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return dict(seconds=seconds, cpu=cpu, images=len(files), bytes=sum(f.stat().st_size for f in files) / len(files))

def labels():
    "Labels of all of FineGPR."
    from reid_nb.engine.specs import VirtualDataset
    begin = time.perf_counter()
    rows = len(VirtualDataset('finegpr').records)
    return dict(rows=rows, seconds=time.perf_counter() - begin, mib=peak())


def measure(*what):
    out = subprocess.run([sys.executable, __file__, *what], capture_output=True, text=True, check=True,
                         env=os.environ | {'PYTHONPATH': os.pathsep.join([str(HERE.parent), os.environ.get('PYTHONPATH', '')])})
    print(*what, out.stdout.strip(), flush=True)
    return json.loads(out.stdout.strip().splitlines()[-1])

def report():
    measure('start')                                                # compiles what is not yet compiled
    rows = [('first picture of a process, compiled code on disk', f"{measure('start')['first_picture']:.1f} s", 'imports, a place, a person'),
            ('a person', f"{measure('identity')['ms']:.0f} ms", 'body, clothes, textures'),
            ('a pose', f"{measure('pose_speed')['ms']:.2f} ms", 'gait, ground contact')]
    for size in ('128x64', '256x128'):
        s = measure('speed', size)
        hours = GSPR_IMAGES / s['whole'] / 3600
        rows += [(f'images a second, {size} (height x width), people and places at hand', f"{s['steady']:.0f}", 'one core'),
                 (f'images a second, {size}, building them included', f"{s['whole']:.0f}", f"one core; peak {s['mib']:.0f} MiB"),
                 (f'{GSPR_IMAGES:,} images at {size}, CPU hours', f'{hours:.1f}', f'the SMCR paper: {GSPR_HOURS}; {GSPR_HOURS / hours:.0f} times less')]
    runs = {w: measure('dataset', 'mini_gspr', '.1', '128x64', w) for w in ('1', '2')}
    one, two = runs['1'], runs['2']
    rows += [(f"mini_gspr at scale 0.1 on disk, {two['images']:,} images of 128x64, two processes", f"{two['seconds']:.1f} s", f"{two['cpu']:.1f} s of processor time; {two['bytes'] / 1000:.1f} kB an image"),
             ('the same, one process', f"{one['seconds']:.1f} s", f"{one['cpu']:.1f} s of processor time; ratio {one['seconds'] / two['seconds']:.2f}")]
    l = measure('labels')
    rows.append((f"labels of {l['rows']:,} rows", f"{l['seconds']:.1f} s", f"peak {l['mib']:.0f} MiB"))
    text = ('# The data engine\n\nWritten by `python benchmarks/engine.py`; what is measured, and how, stands at its top.\n\n'
            '| what | measured | |\n|---|---:|---|\n' + ''.join(f'| {a} | {b} | {c} |\n' for a, b, c in rows))
    (HERE/'engine.md').write_text(text); print(text)

if __name__ == '__main__':
    if len(sys.argv) > 1: print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
    else: report()
