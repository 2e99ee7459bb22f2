"""Build the book's site into site/: `make docs`, or `python docs/build.py` from the repository's root.

The executed notebooks are taken as they are; nothing is run, and of the library only `core` and `gallery` are imported, so no
optional package, dataset or accelerator is needed. What each notebook exports is documented in place, from its signature,
docstring and parameter comments.
"""
import io, json, os, re, shutil, sys, tempfile, time
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from api import api_page, document, exported
from reid_nb.core import progress, write_whole
from reid_nb.gallery import artifact_page, front_page

ROOT = Path(__file__).resolve().parent.parent
PARTS = {'0': 'Core', '1': 'Data', '2': 'Engine', '3': 'Foundations', '4': 'FineGPR and AOST', '5': 'Pose transfer',
         '6': 'Context rendering', '7': 'SMCR', '8': 'DomainMix', '9': 'Runs and command line', 'papers': 'Papers',
         'stages': 'Stages'}

def find_notebooks(
    nbs:Path # the folder of notebooks
) -> dict: # name of a part -> notebooks of it, in reading order; parts without notebooks are left out
    "The book's parts: by the first digit of a notebook's number (22, 22a, 2a), and the papers and stages last."
    of_part = lambda key: sorted(nbs.glob(f'{key}/*.ipynb' if len(key) > 1 else f'{key}[0-9a-z]*_*.ipynb'))
    return {title: found for key, title in PARTS.items() if (found := of_part(key))}

def relink(
    text:str, # Markdown
    home:Path, # the folder of the file it stands in
    stage:Path # the folder the site is built from; what lies outside the notebooks and is linked to is copied there
) -> str:
    "Links as the site needs them: from its root, and with headings named as Sphinx names them."
    def link(m):
        target = (home/m[1]).resolve()
        if not target.is_relative_to(ROOT) or not target.is_file(): return m[0] # Sphinx complains of what is not there
        inside = target.relative_to(ROOT/'nbs' if target.is_relative_to(ROOT/'nbs') else ROOT)
        if not target.is_relative_to(ROOT/'nbs') and not (stage/inside).exists(): take_along(target, stage/inside, stage)
        return f'](/{inside.as_posix()}{(m[2] or "").lower()})'
    return re.sub(r'\]\(([^)#\s:]+)(#[^)\s]*)?\)', link, text)

def take_along(file:Path, to:Path, stage:Path):
    "Copy a linked file. Markdown, such as a table, becomes a page of its own, with a title."
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, to)
    if file.suffix != '.md': return
    text = file.read_text()
    title = '' if re.match(r'\s*# ', text) else f'# {file.stem}\n\n'
    to.write_text(f'---\norphan: true\n---\n\n{title}{relink(text, file.parent, stage)}')

def link_names(
    text:str, # Markdown
    names:dict # what is exported: name -> full name
) -> str:
    "Names of the library that stand in backticks become links to where they are documented."
    link = lambda m: f'{{py:obj}}`{m[1]}{m[2] or ""} <{names[m[1]]}>`' if m[1] in names else m[0]
    parts = re.split(r'(```.*?```|\$\$.*?\$\$)', text, flags=re.S) # code blocks and equations stay as they are
    parts[::2] = [re.sub(r'(?<![`\[}\\])`(\w+)(\(\))?`(?![`\]])', link, p) for p in parts[::2]]
    return ''.join(parts)

def shown_cells(
    cell:dict, # of a notebook
    module:str, # that the notebook exports
    prose # function of Markdown -> Markdown for the site
) -> list: # of cells of the site
    "What a reader sees of a cell: text and code; for what is exported its documentation, the source folded below it."
    source = ''.join(cell['source'])
    if cell['cell_type'] == 'markdown': return [cell | dict(source=prose(source))]
    if cell['cell_type'] != 'code': return []
    directives = dict(re.findall(r'^#\|\s*(\w+):?[ \t]*(.*?)\s*$', source, flags=re.M))
    source = re.sub(r'^#\|.*\n?', '', source, flags=re.M).strip('\n')
    if not source or {'hide', 'default_exp'} & set(directives): return []
    if directives.get('output') == 'false': cell = cell | dict(outputs=[])
    tags = ['remove-input'] * (directives.get('echo') == 'false' or 'hide_input' in directives)
    docs, prompt = '', 'Code'
    if {'export', 'exports', 'exporti'} & set(directives):
        docs, prompt = document(source, module)
        tags = ['hide-input'] * bool(prompt)
    metadata = dict(tags=tags, mystnb=dict(code_prompt_show=prompt, code_prompt_hide=prompt))
    text = [dict(cell_type='markdown', metadata={}, source=prose(docs))] if docs else []
    return [*text, cell | dict(source=source, metadata=metadata)]

def stage_notebook(
    file:Path,
    stage:Path,
    names:dict, # for link_names
    contents:str='', # Markdown to put at the end
    to=None # where; None for its place in the book
):
    "Write a notebook as the site shows it."
    nb = json.loads(file.read_text())
    module = exported(nb)[0]
    for first in nb['cells'][:1]: first['source'] = re.sub(r'^- (skip_\w+|output-file): .*\n?', '', ''.join(first['source']), flags=re.M) # for nbdev
    prose = lambda text: link_names(relink(text, file.parent, stage), names)
    nb['cells'] = [shown for cell in nb['cells'] for shown in shown_cells(cell, module, prose)]
    nb['cells'] += [dict(cell_type='markdown', metadata={}, source=contents)] * bool(contents)
    for number, cell in enumerate(nb['cells']): cell['id'] = f'cell-{number}'
    nb['metadata']['language_info'] = dict(name='python', pygments_lexer='ipython3')
    if to is None: to = stage/file.relative_to(ROOT/'nbs')
    else: nb['metadata']['orphan'] = True # in no list of contents
    to.parent.mkdir(exist_ok=True)
    to.write_text(json.dumps(nb))

def stage_gallery(
    stage:Path,
    names:dict # for link_names
):
    "The front page of the tables and figures, a page for each, and the executed notebooks of their runs that are here."
    kept = lambda key: ROOT/'runs'/'store'/key/'notebook.ipynb'
    executed, pages = lambda key: kept(key).is_file(), []
    def link(paper, artifact, files):
        pages.append((paper, artifact))
        name = artifact if 'png' not in files else f'![{artifact}]({paper}/{files["png"].name}){{width=160px}}'
        return f'[{name}](/gallery/{paper}-{artifact}.md)'
    (stage/'gallery').mkdir()
    (stage/'gallery'/'index.md').write_text(relink(front_page(ROOT, link), ROOT/'figures', stage))
    for paper, artifact in pages:
        text = artifact_page(ROOT, paper, artifact, executed)
        for key in dict.fromkeys(re.findall(r'/runs/([\w.-]+)\.ipynb', text)):
            stage_notebook(kept(key), stage, names, to=stage/'runs'/f'{key}.ipynb')
        (stage/'gallery'/f'{paper}-{artifact}.md').write_text(f'---\norphan: true\n---\n\n{relink(text, ROOT/"figures", stage)}')

def make_stage(
    stage:Path # an empty folder
):
    "Everything Sphinx reads: the notebooks, the start page with its contents, the library's index and the gallery."
    parts = find_notebooks(ROOT/'nbs')
    notebooks = [f for files in parts.values() for f in files]
    modules = {f.stem: m for f in notebooks if (m := exported(json.loads(f.read_text())))[0]}
    names = [(n, f'{m}.{n}') for m, things in modules.values() for n in things if m != 'reid_nb.cli'] # commands are common words
    names = {n: full for n, full in names if [x for x, _ in names].count(n) == 1}
    (stage/'api.md').write_text(api_page(modules))
    more = ['api']
    stage_gallery(stage, names)
    more.append('gallery/index')
    pages = {title: [f.relative_to(ROOT/'nbs').with_suffix('').as_posix() for f in files] for title, files in parts.items()}
    contents = '\n\n'.join('\n'.join(['```{toctree}', ':hidden:', f':caption: {title}', '', *docs, '```'])
                           for title, docs in (pages | {'Look up': more}).items())
    for f in notebooks: stage_notebook(f, stage, names)
    if (ROOT/'nbs/index.ipynb').exists(): stage_notebook(ROOT/'nbs/index.ipynb', stage, names, contents)
    else: (stage/'index.md').write_text(f'# reid_nb\n\n{contents}\n')

def render(
    stage:Path, # what Sphinx reads
    site:Path # a folder in a folder of its own: Sphinx leaves things beside it
) -> int: # number of pages
    "The HTML. A warning of Sphinx, such as a link to nowhere, is an error."
    number = len([f for kind in ('md', 'ipynb') for f in stage.rglob(f'*.{kind}')])
    print(f'docs: rendering {number} pages', flush=True)
    with docutils_namespace(), patch_docutils(), progress(total=2 * number + 1, what='pages') as bar:
        said = io.StringIO()
        app = Sphinx(stage, ROOT/'docs', site, site.parent/'doctrees', 'html', status=None, warning=said, warningiserror=True)
        for event in ('source-read', 'html-page-context'): app.connect(event, lambda *_: bar.update() and None)
        app.build()
    if app.statuscode: raise ValueError('\n' + re.sub(r'\x1b\[[\d;]*m', '', said.getvalue()).replace(f'{stage}/', '').strip())
    return number

def main():
    start = time.time()
    try:
        with tempfile.TemporaryDirectory() as work, write_whole(ROOT/'site') as site:
            stage, made = Path(work)/'stage', Path(work)/'made'/'site'
            stage.mkdir()
            print('docs: reading the notebooks', flush=True)
            make_stage(stage)
            pages = render(stage, made)
            shutil.copytree(made, site, ignore=shutil.ignore_patterns('.buildinfo'))
    except Exception as e:
        if os.environ.get('DEBUG'): raise
        sys.exit(f'docs: not built, and site/ is as it was: {type(e).__name__}: {e}')
    print(f'docs: {pages} pages in {ROOT/"site/index.html"}, built in {time.time() - start:.0f} s')

if __name__ == '__main__': main()
