# SPDX-License-Identifier: Apache-2.0
"""The documentation against the tree: the API page is what the protos say, and every link leads somewhere."""

import os
import pathlib
import re
import sys
import unittest

SOURCE = pathlib.Path(os.environ["HANAS_SOURCE_DIR"])
sys.path.insert(0, str(SOURCE / "docs"))

try:
    import generate_api
except ImportError:
    print("skipped: Python's protobuf is not installed (Debian: python3-protobuf)")
    sys.exit(77)

LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")


def pages() -> list[pathlib.Path]:
    return sorted([*SOURCE.glob("*.md"), *(SOURCE / "docs").rglob("*.md"), *(SOURCE / "tests").rglob("*.md"), *(SOURCE / "examples").rglob("*.md")])


def text_of(page: pathlib.Path) -> str:
    """Without blocks of code, in which brackets mean something else."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: pathlib.Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", text_of(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


class DocsTest(unittest.TestCase):
    def test_the_api_page_is_what_the_protos_say(self):
        self.maxDiff = 2000
        self.assertEqual(
            (SOURCE / "docs" / "api.md").read_text(encoding="utf-8"), generate_api.api_page(), "docs/generate_api.py --write makes it so"
        )

    def test_every_link_leads_somewhere(self):
        found = 0
        for page in pages():
            for match in LINK.finditer(text_of(page)):
                target = match["target"]
                if re.match(r"[a-z]+:", target):
                    continue
                found += 1
                path, _, anchor = target.partition("#")
                there = page.parent / path if path else page
                with self.subTest(f"{page.relative_to(SOURCE)}: {target}"):
                    self.assertTrue(there.exists(), "there is no such file")
                    if anchor:
                        self.assertIn(anchor, anchors(there))
        self.assertGreater(found, 20)

    def test_every_page_can_be_reached_from_the_readme(self):
        reached, todo = set(), [SOURCE / "README.md"]
        while todo:
            page = todo.pop()
            if page in reached or page.suffix != ".md" or not page.exists():
                continue
            reached.add(page)
            for match in LINK.finditer(text_of(page)):
                if not re.match(r"[a-z]+:", match["target"]):
                    todo.append((page.parent / match["target"].partition("#")[0]).resolve())
        alone = [str(page.relative_to(SOURCE)) for page in pages() if page.is_relative_to(SOURCE / "docs") and page not in reached]
        self.assertEqual(alone, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
