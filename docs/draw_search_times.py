"""Draw the times of one grid search, as the page of benchmarks has them.

``python docs/draw_search_times.py`` writes the picture.
"""

from pathlib import Path

DOCS = Path(__file__).parent
PICTURE = DOCS / "images" / "search_times.svg"
TITLE = "grid search: 12 candidates x 5 folds"
NAMES = {
    "sknn_basics": 'sknn_basics, "stacked"',
    "scikit-learn": "scikit-learn's MLP",
    "skorch": "skorch",
    "Keras": "Keras with SciKeras",
}
LEFT, SCALE, ROW = 195, 44, 40  # pixels: of the bars' start, of a second, of a bar with its gap

SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 580 {height}" font-family="sans-serif" \
font-size="16" role="img">
  <title>{title}</title>
  <rect width="580" height="{height}" rx="8" fill="#fff"/>
  <text x="20" y="34" font-weight="bold">A grid search of 60 small networks</text>
{bars}
  <g font-size="14" fill="#555">
    <text x="20" y="{first}">Median time on 2 CPU cores. 12 candidates x 5 folds on</text>
    <text x="20" y="{last}">scikit-learn's digits, 100 hidden units, 10 epochs per network.</text>
  </g>
</svg>
"""
BAR = """\
  <text x="{text}" y="{middle}" text-anchor="end">{name}</text>
  <rect x="{left}" y="{top}" width="{width:.0f}" height="26" rx="3" fill="{fill}"/>
  <text x="{end:.0f}" y="{middle}">{amount}</text>"""


def read_times(page: str) -> dict[str, tuple[float, str]]:
    """Read the median seconds of each library, and how many times as long that is."""
    lines = page[page.index(f"| {TITLE}") :].splitlines()[: len(NAMES)]
    cells = [[cell.strip() for cell in line.split("|")] for line in lines]
    return {row[2]: (float(row[3].removesuffix(" ms")) / 1000, row[5]) for row in cells}


def draw(times: dict[str, tuple[float, str]]) -> str:
    bars = [
        BAR.format(
            text=LEFT - 10,
            left=LEFT,
            top=54 + i * ROW,
            middle=72 + i * ROW,
            width=SCALE * seconds,
            end=LEFT + SCALE * seconds + 10,
            name=NAMES[library],
            fill="#b0b7c0" if ratio else "#2a6fbb",
            amount=f"{seconds:.2g} s" + (f" ({float(ratio[:-1]):.2g}x)" if ratio else ""),
        )
        for i, (library, (seconds, ratio)) in enumerate(times.items())
    ]
    height = 54 + ROW * len(bars) + 56
    title = ", ".join(f"{NAMES[name]}: {seconds:.2g} s" for name, (seconds, _) in times.items())
    return SVG.format(
        height=height, title=title, bars="\n".join(bars), first=height - 36, last=height - 16
    )


if __name__ == "__main__":
    PICTURE.write_text(draw(read_times((DOCS / "benchmarks.md").read_text())))
