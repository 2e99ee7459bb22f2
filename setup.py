"Package metadata for reid_nb, all of it read from settings.ini."
import configparser
from pathlib import Path
from setuptools import find_packages, setup

here = Path(__file__).parent
cfg = configparser.ConfigParser(delimiters=['='], interpolation=None)
cfg.read(here/'settings.ini', encoding='utf-8')
cfg = cfg['DEFAULT']
lines = lambda key: [l for l in cfg[key].splitlines() if l.strip()]
extras = {key: lines(f'{key}_requirements') for key in ('repro', 'dev', 'onnx', 'docs', 'gpu')}

setup(
    name=cfg['lib_name'],
    version=cfg['version'],
    description=cfg['description'],
    long_description=(here/'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author=cfg['author'],
    license=cfg['license'],
    license_files=['LICENSE'],
    keywords=cfg['keywords'],
    packages=find_packages(include=['reid_nb', 'reid_nb.*']),
    package_data={'reid_nb': ['assets/**/*']},
    python_requires=f">={cfg['min_python']}",
    install_requires=lines('requirements'),
    extras_require=extras,
    entry_points={'console_scripts': lines('console_scripts')},
    zip_safe=False,
)
