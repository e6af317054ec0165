"""Tests benches/budget.py: which numbers are over budget, and what --update changes."""

import tomllib
import unittest

import budget

BUDGET = {
    "slack": {"default": 3, "peak_rss": 8},
    "bytes": {"arm": 1000},
    "quiet_run": {"peak_rss": 1000, "files_written": 0},
}


def verdicts(section, what, number):
    return list(budget.judge(BUDGET, {section: {what: number}}))


class Judge(unittest.TestCase):
    def test_number_over_slack_is_over_budget(self):
        better = "; below budget: lower the budget with --update"
        most = ", and at most 3 % more is allowed"
        for section, what, number, words, over in [
            ("bytes", "arm", 1000, "arm: bytes: 1,000 of 1,000 (+0.0%)", False),
            ("bytes", "arm", 1030, "arm: bytes: 1,030 of 1,000 (+3.0%)", False),
            ("bytes", "arm", 1031, f"OVER BUDGET: arm: bytes: 1,031 of 1,000 (+3.1%){most}", True),
            ("bytes", "arm", 970, "arm: bytes: 970 of 1,000 (-3.0%)", False),
            ("bytes", "arm", 969, f"arm: bytes: 969 of 1,000 (-3.1%){better}", False),
            ("quiet_run", "peak_rss", 1080, "quiet run: peak_rss: 1,080 of 1,000 (+8.0%)", False),
            ("quiet_run", "files_written", 0, "quiet run: files_written: 0 of 0", False),
            (
                "quiet_run",
                "files_written",
                1,
                f"OVER BUDGET: quiet run: files_written: 1 of 0{most}",
                True,
            ),
        ]:
            with self.subTest(what=what, number=number):
                self.assertEqual(verdicts(section, what, number), [(words, over)])


class Update(unittest.TestCase):
    def test_update_replaces_only_measured_numbers(self):
        before = "#\n[slack]\narm = 3\n[bytes]\narm = 1000\nx86 = 5\n# how\n[quiet_run]\na = 1\n"
        after = before.replace("arm = 1000", "arm = 900")
        self.assertEqual(budget.updated(before, {"bytes": {"arm": 900}}), after)

    def test_update_with_equal_numbers_keeps_the_real_file(self):
        text = budget.FILE.read_text(encoding="utf-8")
        parsed = tomllib.loads(text)
        found = {name: parsed[name] for name in ("bytes", "quiet_run")}
        self.assertEqual(budget.updated(text, found), text)
        higher = {name: {k: v + 1 for k, v in found[name].items()} for name in found}
        again = tomllib.loads(budget.updated(text, higher))
        self.assertEqual({name: again[name] for name in found}, higher)
        self.assertEqual(again["slack"], parsed["slack"])


if __name__ == "__main__":
    unittest.main()
