"""What simple readers make of a data set: the most frequent label, and a linear support vector machine.

The machine sees words (single and in pairs) and character 3- to 5-grams of all training rows at once, so it shows about
what a reader of words alone can learn from them. Run `python -m evals.baselines DIR` on a folder with train.jsonl and
test.jsonl; every column that repeats its values in both files is taken for a label.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TEXT = "message"
MOST_LABELS = 100


def read(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a JSONL file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def label_columns(train: Sequence[dict[str, Any]], test: Sequence[dict[str, Any]]) -> list[str]:
    """Return the columns whose test values all occur in train, with few enough values to be labels."""
    found = []
    for name in train[0]:
        known = {row[name] for row in train}
        if name not in (TEXT, "id") and len(known) <= MOST_LABELS and {row[name] for row in test} <= known:
            found.append(name)
    return found


def most_frequent(train: Sequence[str], test: Sequence[str]) -> float:
    """Return the accuracy of always answering the most frequent label."""
    (label, _), *_ = Counter(train).most_common(1)
    return sum(wanted == label for wanted in test) / len(test)


def linear_svm(texts: Sequence[str], labels: Sequence[str], test: Sequence[str], wanted: Sequence[str]) -> float:
    """Return the test accuracy of scikit-learn's LinearSVC (C = 1) on tf-idf features."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    model = make_pipeline(make_union(words, pieces), LinearSVC(C=1.0)).fit(texts, labels)
    return float(model.score(test, wanted))


def main() -> None:
    """Print the table, or with --json one document."""
    parser = argparse.ArgumentParser(prog="python -m evals.baselines", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder with train.jsonl and test.jsonl")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    options = parser.parse_args()
    files = [options.folder / f"{name}.jsonl" for name in ("train", "test")]
    if missing := [str(file) for file in files if not file.is_file()]:
        sys.exit(f"error: there is no {', '.join(missing)}; name a folder that holds both files")
    train, test = map(read, files)
    table: dict[str, dict[str, float]] = {}
    for name in label_columns(train, test):
        labels, wanted = [row[name] for row in train], [row[name] for row in test]
        table[name] = {
            "most frequent label": most_frequent(labels, wanted),
            "linear SVM": linear_svm([row[TEXT] for row in train], labels, [row[TEXT] for row in test], wanted),
        }
    table["mean"] = {
        reader: sum(row[reader] for row in table.values()) / len(table) for reader in next(iter(table.values()))
    }
    if options.json:
        print(json.dumps(table, indent=1))
        return
    for name, row in table.items():
        print(f"{name:12}" + "".join(f"  {reader}: {score:.3f}" for reader, score in row.items()))


if __name__ == "__main__":
    main()
