"""Sphinx's settings for the site. The pages load nothing from a network: theme, fonts and MathJax lie beside them."""
from importlib.metadata import distribution

project = 'reid_nb'
extensions = ['myst_nb', 'sphinx.ext.mathjax']
nb_execution_mode = 'off'
nb_merge_streams = True
myst_enable_extensions = ['dollarmath', 'amsmath', 'attrs_inline']
myst_heading_anchors = 4
suppress_warnings = ['misc.highlighting_failure'] # not all that looks like code is Python
maximum_signature_line_length = 90
toc_object_entries_show_parents = 'hide'
templates_path = ['templates']

# One file with the outlines of its letters in it; the menu would ask the network for more.
mathjax_file = distribution('sphinx-mathjax-offline').locate_file('sphinx-mathjax-offline/static/mathjax/tex-svg-full.js')
mathjax_path = 'tex-svg-full.js'
mathjax3_config = dict(options=dict(enableMenu=False))

html_theme = 'pydata_sphinx_theme'
html_title = 'reid_nb'
html_static_path = ['static', str(mathjax_file)]
html_css_files = ['book.css']
html_sidebars = {'**': ['contents.html']}
html_copy_source = html_show_sourcelink = html_use_index = html_domain_indices = False
html_theme_options = dict(
    logo=dict(text='reid_nb'), navbar_center=[], navbar_persistent=['search-button-field'], navbar_end=['theme-switcher'],
    secondary_sidebar_items=['page-toc'], show_toc_level=2, footer_start=[], footer_end=[], show_version_warning_banner=False)
