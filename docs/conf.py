"""Settings of Sphinx; `make docs` builds the site."""

import os
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

from api_pages import write_api_pages

import sknn_basics

project = "sknn_basics"
author = "The sknn_basics developers"
copyright = author
version = release = sknn_basics.__version__

write_api_pages(Path(__file__).parent / "api")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "api_pages",
    "example_order",
    "mathml",
    "missing_pictures",
    "reachable",
]
templates_path = ["templates"]
exclude_patterns = ["_build", "benchmarks.md", "sg_execution_times.rst", "**/*.examples"]

# Single backticks are links where there is something to link to, and code elsewhere.
default_role = "py:obj"
# Links inside this project must resolve; those to others do where their index was read.
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r"(?!sknn_basics\.).*")]

autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "groupwise"
numpydoc_show_class_members = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "pydata_sphinx_theme"
html_title = f"sknn_basics {version}"
html_static_path = ["static"]
html_favicon = "static/icon.svg"
html_context = {"default_mode": "auto"}
html_css_files = ["site.css"]
html_show_sourcelink = False
html_math_renderer = "mathml"
html_theme_options = {
    "logo": {"text": f"sknn_basics {version}"},
    "icon_links": [
        {
            "name": "Source code",
            "url": "https://github.com/sknn-basics/sknn_basics",
            "icon": "fa-brands fa-github",
        }
    ],
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 5,
    "footer_start": ["copyright"],
    "footer_end": [],
}
# Beside wide code and wide tables, the list of neighbouring pages takes too much room.
PAGES_WITHOUT_SIDEBAR = ("index", "install", "changelog", "migration", "auto_examples/**")
html_sidebars = {page: [] for page in PAGES_WITHOUT_SIDEBAR}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"\.py$",
    "within_subsection_order": "example_order.order_of_example",
    "backreferences_dir": "api/backreferences",
    "doc_module": ("sknn_basics",),
    "reference_url": {"sknn_basics": None},
    "min_reported_time": 0,
    "remove_config_comments": True,
    "show_memory": False,
}
# The gallery keeps its own examples' warnings out of the pages where they tell nothing.
os.environ.setdefault("PYTHONHASHSEED", "0")
warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")
