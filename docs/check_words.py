"""Find words that texts should not use: `make lint` runs ``python docs/check_words.py``.

The texts are the pages, the README, and the comments and strings of the code. Code in backticks,
examples of docstrings and single words in quotes are left out.
"""

import re
import sys
import tokenize
from pathlib import Path

ROOT = Path(__file__).parent.parent
FILES = ("*.md", "docs/**/*.rst", "docs/**/*.md", "examples/*.*", "sknn_basics/**/*.py")
# Written elsewhere, or by the build.
LEFT_OUT = re.compile(r"CHANGELOG\.md|docs/(_build|api|auto_examples)/|check_words")

COUNTED = (
    "bias|bits?|columns|doubles|epochs|frames|images|lines?|loss|losses|moves|names|numbers|ones?"
    "|outputs?|parameters|rows|samples|seconds|microseconds|steps|targets|texts|tiles|times?"
    "|units|values|weights|windows"
)
EACH = (
    "batch|block|cell|channel|character|class|column|dimension|epoch|feature|filter|fit|fold|frame"
    "|game|hidden layer|image|label|layer|library|move|network|node|peer|process|row|sample"
    "|second|sequence|step|target|token|unit|window"
)
# Words, and what to write instead.
WORDS = {
    rf"\b({COUNTED})\s+an?\s+({EACH})\b(?!\s+(of|that|which|is|are|has)\b)": "per",
    r"\b[Bb]eside\b": "next to, compared with",
    r"\b[Bb]ehind\b": "after, below",
    r"(?<!up )\bto rounding\b": "up to rounding",
    r"\bby heart\b": "memorise",
    r"\brates? of learning\b": "learning rate",
    r"\b(batched|matrix) products?\b|\bproducts of matrices\b": "matrix multiplication",
    r"\bfree-running\b": "recursive",
    r"\b[Ll]atents\b": "latent variables",
    r"\b1-D strips|dimensional strips\b": "1-D signals",
    r"\b[Pp]ictures?\b": "plot, image, photo",
    r"\b[Oo]urs\b|\bwe win\b|\bwe lose\b": "sknn_basics",
    r"\braises(?=[,.;:]|\s+(and|where|if)\b)": "raises an error",
    r",\s+say\b(?=[,.;:)])|\bsay,": "for example",
    r"\bdo(es)? (for|with) (any|most|all)\b": "is enough, works",
    r"\bsqueez(e|es|ed|ing)\b": "compress",
    r"\blearnt\b": "learned",
    r"\b(go|goes|going|went) on\b": "continue",
    r"\b(gives?|gave) back\b": "return, reconstruct",
    r"\bputs? out\b": "output",
    r"\bfrom nothing\b": "from scratch",
    r"\bfalls? short\b": "is slower, is less accurate",
    r"\bmore ado\b|\bupkeep\b": "as usual, complexity",
    r"\bmakes? an? (epoch|step)\b": "runs, takes",
    r"\brate and (loss|epoch)\b|\bown rates?\b|\bhalves the rate\b": "learning rate",
}


def blank(found: re.Match) -> str:
    """Take out code, and leave the lines where they are."""
    return re.sub(r"[^\n]", "_", found[0])


def texts(path: Path):
    """Yield the texts of a file, each with the number of its first line."""
    if path.suffix != ".py":
        yield 1, path.read_text()
        return
    with tokenize.open(path) as file:
        for token in tokenize.generate_tokens(file.readline):
            kind = tokenize.tok_name[token.type]
            if kind == "COMMENT" or (kind in ("STRING", "FSTRING_MIDDLE") and " " in token.string):
                yield token.start[0], token.string


def find_words(text: str):
    """Yield places, words and what to write instead."""
    text = re.sub(
        r"``.*?``|`[^`\n]*`|<[^<>\n]*>|^ *(>>>|\.\.\.).*$|^ *\w+ : .*$|\{[^{}\n]*\}",
        blank,
        text,
        flags=re.M,
    )
    for word, better in WORDS.items():
        for found in re.finditer(word, text):
            yield found.start(), " ".join(found[0].split()), better


def check(path: Path):
    for first, text in texts(path):
        for place, word, better in find_words(text):
            line = first + text.count("\n", 0, place)
            yield f"{path.relative_to(ROOT)}:{line}: {word!r} (write: {better})"


if __name__ == "__main__":
    paths = sorted({path for pattern in FILES for path in ROOT.glob(pattern) if path.is_file()})
    paths = [path for path in paths if not LEFT_OUT.search(path.relative_to(ROOT).as_posix())]
    lines = [line for path in paths for line in check(path)]
    print(*lines, sep="\n")
    sys.exit(bool(lines))
