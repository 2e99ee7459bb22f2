"""What a notebook exports, read from its source: signature, docstring and the comments beside the parameters."""
import ast, io, re, textwrap, tokenize

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

def things(
    source:str # of an exported cell
) -> list: # (name, node) of its public functions, classes and constants
    "What a cell adds to its module."
    found = []
    for node in ast.parse(source).body:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)): found.append((node.name, node))
        if isinstance(node, ast.Assign): found += [(t.id, node) for target in node.targets
                                                   for t in getattr(target, 'elts', [target]) if isinstance(t, ast.Name)]
    return [(name, node) for name, node in found if not name.startswith('_')]

def exported(
    nb:dict # a notebook
) -> tuple: # its module, None for none; name -> summary of what it exports
    "The module a notebook writes and everything public in it."
    cells = [''.join(c['source']) for c in nb['cells'] if c['cell_type'] == 'code']
    module = next((m[1] for c in cells if (m := re.search(r'^#\|\s*default_exp\s+(\S+)', c, flags=re.M))), None)
    cells = [c for c in cells if re.search(r'^#\|\s*exports?\b', c, flags=re.M)]
    return module and f'reid_nb.{module}', {name: summary(node, comments(c)) for c in cells for name, node in things(c)}

def comments(source:str) -> dict: # number of a line -> the comment that ends it
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: t.string.lstrip('# ') for t in tokens if t.type == tokenize.COMMENT}

def summary(node, said:dict) -> str:
    "A line that says what it is: the docstring's first; of a constant the comment beside it, or how its value begins."
    if isinstance(node, ast.Assign):
        beside = said.get(node.lineno, '') if node.lineno == node.end_lineno else ''
        return beside or f"`{textwrap.shorten(ast.unparse(node.value), 70, placeholder=' ...')}`"
    return (ast.get_docstring(node) or '').split('\n\n')[0].replace('\n', ' ')

def plain(text:str) -> str:
    "Text that may hold code in backticks, as Markdown: everything else stands for itself, also in a row of a table."
    return re.sub(r'(`[^`]*`)|([*_<\[\]${}\\#])', lambda m: m[1] or '\\' + m[2], text).replace('|', '\\|')

def annotation(node) -> str:
    "A type as written; of `Annotated[type, ...]` the type."
    if node is None: return ''
    if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith('Annotated'): node = node.slice.elts[0]
    return ast.unparse(node)

def parameters(
    function:ast.FunctionDef,
    said:dict # from `comments`
) -> list: # (name, type, default, meaning), `self` left out; the last one is what it returns
    "The parameters with the comments beside them. A comment beside several belongs to the last, beside a returned type to that."
    a = function.args
    plain_args = [*a.posonlyargs, *a.args]
    defaults = [None] * (len(plain_args) - len(a.defaults)) + a.defaults
    rows = [(p, '', d) for p, d in zip(plain_args, defaults)] + [(a.vararg, '*', None)] * bool(a.vararg)
    rows += [(p, '', d) for p, d in zip(a.kwonlyargs, a.kw_defaults)] + [(a.kwarg, '**', None)] * bool(a.kwarg)
    last = {p.end_lineno: p.arg for p, _, _ in rows}
    end = function.returns.end_lineno if function.returns else function.body[0].lineno - 1
    if function.returns or said.get(end, '').startswith('->'): last.pop(end, None)
    returns = '' if end in last else said.get(end, '').removeprefix('->').strip()
    mean = lambda p: (said.get(p.end_lineno, '') if last.get(p.end_lineno) == p.arg else '') or helped(p.annotation)
    found = [(stars + p.arg, annotation(p.annotation), ast.unparse(d) if d else '', mean(p))
             for p, stars, d in rows if p.arg not in ('self', 'cls')]
    return [*found, ('Returns', annotation(function.returns), '', returns)]

def helped(node) -> str:
    "The help text that a command's parameter carries in its type."
    texts = [k.value.value for k in ast.walk(node) if isinstance(k, ast.keyword) and k.arg == 'help'] if node else []
    return texts[0] if texts else ''

def signature(function:ast.FunctionDef) -> str:
    "The signature on one line, without the comments and the help texts of commands."
    function = ast.parse(ast.unparse(function)).body[0]
    function.args.args = [p for p in function.args.args if p.arg not in ('self', 'cls')]
    for p in ast.walk(function.args):
        if isinstance(p, ast.arg) and p.annotation: p.annotation = ast.Name(annotation(p.annotation))
    return f'({ast.unparse(function.args)})' + (f' -> {annotation(function.returns)}' if function.returns else '')

def table(rows:list) -> str:
    "Parameters as a Markdown table, without columns that are empty; nothing where no comment explains any."
    if not any(meaning for *_, meaning in rows): return ''
    code = lambda s: f'`{s}`'.replace('|', '\\|') if s else ''
    rows = [('Returns' if name == 'Returns' else code(name), code(type), code(default), plain(meaning))
            for name, type, default, meaning in rows if name != 'Returns' or type or meaning]
    kept = [n for n in range(4) if any(row[n] for row in rows)]
    head = ('Parameter', 'Type', 'Default', 'Meaning')
    return '\n'.join('| ' + ' | '.join(row[n] for n in kept) + ' |' for row in (head, ('---',) * 4, *rows))

def directive(kind:str, title:str, *content:str, fence:str='```') -> str:
    "Something of the library, for Sphinx's index and search."
    return '\n\n'.join([f'{fence}{{py:{kind}}} {title}', *(c for c in content if c), fence])

def describe(node, name:str, said:dict, kind:str='function') -> str:
    "Signature, docstring and table of one function or class."
    text = plain(ast.get_docstring(node) or '')
    if any(ast.unparse(d).endswith('property') for d in node.decorator_list): return directive('property', name, text)
    if not isinstance(node, ast.ClassDef): return directive(kind, name + signature(node), text, table(parameters(node, said)))
    methods = {f.name: f for f in node.body if isinstance(f, FUNCTIONS)}
    init = methods.get('__init__')
    head = (name + (signature(init).split(' -> ')[0] if init else ''), text, table(parameters(init, said)[:-1]) if init else '')
    inner = [describe(f, n, said, 'method') for n, f in methods.items() if not n.startswith('_')]
    return directive('class', *head, *inner, fence='````')

def document(
    source:str, # of an exported cell
    module:str
) -> tuple: # Markdown; and the word to fold the source under, '' to leave it open
    "What a cell exports, documented. Constants and what is private to the module are read in the source."
    said, found = comments(source), things(source)
    kinds = {type(node) for node in ast.parse(source).body}
    docs = [directive('data', f'{module}.{name}') if isinstance(node, ast.Assign) else describe(node, f'{module}.{name}', said)
            for name, node in found]
    documented = [node for _, node in found if not isinstance(node, ast.Assign)]
    prompt = 'Imports' if kinds <= {ast.Import, ast.ImportFrom} else 'Source' if documented else ''
    return '\n\n'.join(docs), prompt

def api_page(
    modules:dict # name of a notebook -> (module, name -> summary)
) -> str: # Markdown
    "Every public name with a line about it and a link to where its notebook documents it."
    lines = ['# The library', '', '> Every function, class and constant that the book exports']
    for page, (module, found) in modules.items():
        if not found: continue
        lines += ['', f'## {module}', '', f'From [](/{page}.ipynb).', '', '| Name | What it does |', '| --- | --- |']
        lines += [f'| {{py:obj}}`{name} <{module}.{name}>` | {plain(text)} |' for name, text in found.items()]
    return '\n'.join(lines) + '\n'
