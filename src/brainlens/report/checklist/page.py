"""Owns the filled checklist as Markdown or HTML: what the files answer, and what is left open.

Enters: folders of a run. Leaves: one file; the same folders give the same bytes. An open line says
who can close it, so that nothing looks answered that is not.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from brainlens import __version__
from brainlens.core.errors import ConfigError, OutputError, nearest
from brainlens.core.files import write_atomic
from brainlens.report.checklist import claim, tripod
from brainlens.report.checklist.evidence import Evidence, gather
from brainlens.report.checklist.items import Filled, fill

CHECKLISTS = {"claim": (claim.TITLE, claim.ITEMS), "tripod": (tripod.TITLE, tripod.ITEMS)}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ccc;padding:.4rem;"
    "text-align:left;vertical-align:top}.open{color:#a40000}.part{color:#8a5a00}"
    "td p{margin:0 0 .4rem}small{color:#666;overflow-wrap:anywhere}"
)


def write_checklist(name: str, folders: Sequence[Path], out: Path) -> str:
    """Write the checklist `name` of one model; answers how much of it the files say."""
    if name not in CHECKLISTS:
        raise ConfigError(f"--checklist {name}: {nearest(name, CHECKLISTS)}")
    forms = {".md": markdown, ".html": page, ".htm": page}
    if out.suffix.lower() not in forms:
        raise OutputError(f"{out}: expected a name that ends in .md or .html, as in -o {name}.md")
    title, items = CHECKLISTS[name]
    seen = gather(folders)
    filled = fill(items, seen)
    write_atomic(out, forms[out.suffix.lower()](title, filled, seen))
    return counted(filled)


def counted(filled: Sequence[Filled]) -> str:
    """The one sentence."""
    states = [one.state for one in filled]
    return (
        f"of {len(filled)} items the files answer {states.count('answered')}, "
        f"{states.count('in part')} in part; {states.count('open')} are open"
    )


def markdown(title: str, filled: Sequence[Filled], seen: Evidence) -> str:
    """The checklist as a Markdown table."""
    lines = [f"# {title}", "", *_head(filled, seen), ""]
    lines += [
        "| item | asks | state | from the files | left to the author |",
        "|---|---|---|---|---|",
    ]
    for one in filled:
        said = "<br>".join(f"{said.text} (`{said.where}`)" for said in one.said)
        cells = [f"{one.item.number} {one.item.part}", one.item.asks, one.state, said, _left(one)]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def page(title: str, filled: Sequence[Filled], seen: Evidence) -> str:
    """The checklist as one HTML file without outside parts."""
    rows = []
    for one in filled:
        said = "".join(
            f"<p>{html.escape(said.text)}<br><small>{html.escape(said.where)}</small></p>"
            for said in one.said
        )
        rows.append(
            f'<tr><th scope="row">{one.item.number}</th><td>{html.escape(one.item.part)}</td>'
            f"<td>{html.escape(one.item.asks)}</td>"
            f'<td class="{one.state.split()[-1]}">{one.state}</td><td>{said}</td>'
            f"<td>{html.escape(_left(one))}</td></tr>"
        )
    head = "".join(f"<p>{html.escape(line)}</p>" for line in _head(filled, seen) if line)
    names = ("item", "part", "asks", "state", "from the files", "left to the author")
    columns = "".join(f'<th scope="col">{name}</th>' for name in names)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}'
        f"</title><style>{_STYLE}</style></head><body><h1>{html.escape(title)}</h1>{head}"
        f"<table><thead><tr>{columns}</tr></thead><tbody>\n" + "\n".join(rows)
        + "\n</tbody></table></body></html>\n"
    )  # fmt: skip


def _head(filled: Sequence[Filled], seen: Evidence) -> list[str]:
    """What stands above the table."""
    given = ", ".join(f"{kind} {folder.as_posix()}" for kind, folder in seen.places.items())
    return [
        f"Made by brainlens {__version__} from {given}: {counted(filled)}.",
        "",
        "Numbers are the checklist's, the wording of what it asks is ours: look into the original. "
        "What the files say is what was recorded, not that it was well done. Research use, not a "
        "medical device.",
    ]


def _left(one: Filled) -> str:
    """What somebody has still to write, or to give."""
    asked = [one.item.author] if one.item.author else []
    if len(one.said) < len(one.item.answers):
        how = one.item.how or "give RUN, EVAL and AUDIT"
        some = "all of it" if one.said else "it"
        asked.insert(0, f"the folders given do not say {some}: {how}")
    return "; ".join(asked)
