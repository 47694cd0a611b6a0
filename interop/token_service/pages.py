"""The commands and statements of the documentation."""

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "crates" / "token_service" / "docs"


def blocks(page, language):
    """The blocks of a language in a page, without their indentation."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)
    return [re.sub(f"^{indentation}", "", block, flags=re.MULTILINE) for indentation, block in found]


def block(page, language, part):
    """The only such block that contains a text."""
    (found,) = (each for each in blocks(page, language) if part in each)
    return found
