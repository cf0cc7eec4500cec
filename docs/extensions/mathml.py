"""Formulas as MathML, which browsers show without a script and without a network."""

import html
import re
from xml.etree import ElementTree

from docutils.nodes import SkipNode
from docutils.utils.math.latex2mathml import tex2mathml

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
LETTER = f"{{{NAMESPACE}}}mi"

ElementTree.register_namespace("", NAMESPACE)


def mathml(formula: str, as_block: bool = False) -> str:
    """Set a formula, with the index of an accented letter beside the letter and not below it."""
    text = tex2mathml(formula, as_block=as_block)
    # XML knows five entities by name, HTML many more.
    text = re.sub(r"&(?!(lt|gt|amp|quot|apos);)\w+;", lambda name: html.unescape(name[0]), text)
    root = ElementTree.fromstring(text)
    for part in root.iter(f"{{{NAMESPACE}}}munderover"):
        letter, index, accent = part
        if letter.tag == LETTER:
            part.tag = f"{{{NAMESPACE}}}msub"
            accented = ElementTree.Element(f"{{{NAMESPACE}}}mover", accent="true")
            accented.extend([letter, accent])
            part[:] = [accented, index]
    return ElementTree.tostring(root, encoding="unicode")


def visit_math(translator, node) -> None:
    translator.body.append(mathml(node.astext()))
    raise SkipNode


def visit_math_block(translator, node) -> None:
    formula = mathml(node.astext(), as_block=True)
    translator.body.append(f'<div class="math-block">{formula}</div>\n')
    raise SkipNode


def setup(app) -> dict:
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    return {"parallel_read_safe": True, "version": "2"}
