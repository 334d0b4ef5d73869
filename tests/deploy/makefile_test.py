# SPDX-License-Identifier: Apache-2.0
"""The recipes of the Makefile are shell that can be parsed: a comma in an announcement, for one, cuts it in two."""
import os
import re
import subprocess
import unittest

SOURCE = os.environ["HANAS_SOURCE_DIR"]


def targets():
    with open(os.path.join(SOURCE, "Makefile"), encoding="utf-8") as makefile:
        return re.findall(r"^([a-z-]+):.*## ", makefile.read(), re.MULTILINE)


class MakefileTest(unittest.TestCase):

    def test_every_target_runs_commands_that_a_shell_reads(self):
        self.assertIn("demo", targets())
        for target in targets():
            with self.subTest(target):
                recipe = subprocess.run(["make", "--no-print-directory", "--dry-run", target], cwd=SOURCE, capture_output=True, text=True)
                self.assertEqual(recipe.returncode, 0, recipe.stderr)
                read = subprocess.run(["sh", "-n"], input=recipe.stdout, capture_output=True, text=True)
                self.assertEqual(read.returncode, 0, read.stderr + recipe.stdout)


if __name__ == "__main__":
    unittest.main()
