"""Data sets: what is read, what is refused and with which words, and how rows are set apart."""

import builtins
import csv
import json
from collections import Counter
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsym.errors import DataError
from agentsym.learning.dataset import Dataset, choice_labels, split, without_duplicates
from agentsym.learning.protocols import Row
from agentsym.network.fields import Choice
from agentsym.network.network import Network
from agentsym.network.nodes import AgentNode, PromptNode

LABELS = ("refund", "late_parcel", "cancel")
NODE = PromptNode(
    "triage",
    "Decide.",
    inputs=["message"],
    output={"intent": Choice(LABELS), "urgent": bool, "amount": float, "count": int, "tags": list, "note": str},
)
TRIAGE = Network("support", [NODE], outputs=["intent"])
FULL = Network("support", [NODE])


def file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused(path: Any, network: Network = TRIAGE, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        Dataset(network, **options).load(path)
    return str(caught.value)


def test_a_row_knows_its_inputs_labels_and_line(tmp_path: Path) -> None:
    path = file(
        tmp_path, "train.jsonl", '{"id": "t-7", "message": "Where?", "intent": "refund"}\n\n{"message": "Why?"}\n'
    )
    first, second = Dataset(TRIAGE).load(path)
    assert first == Row(id="t-7", inputs={"message": "Where?"}, expected={"intent": "refund"}, source="train.jsonl:1")
    assert (second.expected, second.source) == ({}, "train.jsonl:3")


def test_rows_are_streamed(tmp_path: Path) -> None:
    path = file(tmp_path, "train.jsonl", '{"message": "a"}\n{"broken\n')
    rows = Dataset(TRIAGE).rows(path)
    assert next(rows).inputs == {"message": "a"}
    with pytest.raises(DataError, match=r"train.jsonl:2: not valid JSON"):
        next(rows)


def test_without_an_id_the_content_is_the_id_whatever_the_file(tmp_path: Path) -> None:
    one = Dataset(TRIAGE).load([{"message": "a", "intent": "refund"}, {"message": "a"}, {"message": "a"}])
    two = Dataset(TRIAGE).load(file(tmp_path, "x.csv", "intent,message\nrefund,a\n"))
    assert one[0].id == two[0].id
    assert len({row.id for row in one}) == 3
    assert one[2].id == one[1].id + "-2"


def test_unknown_columns_are_ignored_and_said_once(tmp_path: Path) -> None:
    said: list[str] = []
    data = Dataset(TRIAGE, notice=said.append)
    path = file(tmp_path, "train.jsonl", '{"message": "a", "due": 1}\n{"message": "b", "due": 2}\n')
    assert [row.inputs for row in data.load(path)] == [{"message": "a"}, {"message": "b"}]
    data.load(path)
    assert said == [f"{path}: column 'due' is ignored, agent 'support' has no such field"]


def test_columns_are_renamed_by_map_and_label(tmp_path: Path) -> None:
    path = file(tmp_path, "train.csv", "text,category,message\nhello,refund,ignored\n")
    (row,) = Dataset(TRIAGE, columns={"text": "message"}, label="category", notice=print).load(path)
    assert (row.inputs, row.expected) == ({"message": "hello"}, {"intent": "refund"})
    (row,) = Dataset(FULL, columns={"text": "message"}, label="category", notice=print).load(path)
    assert row.expected == {"intent": "refund"}, "the only choice is the label"


def test_maps_and_labels_that_lead_nowhere_are_refused(tmp_path: Path) -> None:
    path = file(tmp_path, "train.csv", "message,intent\na,refund\n")
    assert "did you mean 'intent'?" in refused(path, columns={"x": "intnet"})
    assert "no row has a column 'intnt'; did you mean 'intent'?" in refused(path, label="intnt")
    assert "two columns are given for 'intent'" in refused(path, columns={"a": "intent", "b": "intent"})
    two = Network("two", [PromptNode("n", "x", inputs=["message"], output={"a": str, "b": str})])
    assert "say which one it is with --map gold=FIELD" in refused(path, two, label="gold")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"mesage": "a"}', ["x.jsonl:1: the input 'message'", "--map mesage=message"]),
        ('{"message": "a", "intent": "refnd"}', ["x.jsonl:1: column 'intent': 'refnd'", "did you mean 'refund'?"]),
        ('{"message": "a"}\n{"message": "b", "intent": 3}', ["x.jsonl:2: column 'intent': 3 is an integer"]),
        ('{"message": "a",}', ["x.jsonl:1: not valid JSON"]),
        ('{"message": NaN}', ["x.jsonl:1: not valid JSON: NaN"]),
        ('{"message": 1e999}', ["x.jsonl:1: column 'message': inf"]),
        ('["a"]', ["x.jsonl:1: a row must be an object", "not a list"]),
        ('[\n{"message": "a"}\n]', ["x.jsonl:1: not valid JSON", "jq -c"]),
        ("\n \n", ["x.jsonl has no rows"]),
        (
            '{"id": 1, "message": "a"}\n{"id": "1", "message": "b"}',
            ["x.jsonl:2: the id '1' stands at", "x.jsonl:1 already"],
        ),
        ('{"id": [1], "message": "a"}', ["x.jsonl:1: the id is a list"]),
        (b'{"message": "a"}\n{"message": "caf\xe9"}', ["x.jsonl:2: not UTF-8", "0xe9", "iconv"]),
        ('{"message": "a"}'.encode("utf-16"), ["UTF-16", "iconv"]),
    ],
)
def test_a_bad_jsonl_file_is_refused_with_line_and_remedy(
    tmp_path: Path, content: str | bytes, words: list[str]
) -> None:
    message = refused(file(tmp_path, "x.jsonl", content))
    for word in words:
        assert word in message


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    file(tmp_path, "train.jsonl", "")
    assert "no such file; did you mean 'train.jsonl'?" in refused(tmp_path / "trian.jsonl")
    assert f"no such file; no data lies in {tmp_path / 'sub'}" in refused(tmp_path / "sub" / "train.jsonl")
    assert "is a folder" in refused(tmp_path)
    assert "must end in .jsonl" in refused(file(tmp_path, "x.xlsx", "x"))
    assert "has no rows" in refused(tmp_path / "train.jsonl")
    assert refused([]) == "the data set has no rows; it needs at least one"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_delimiters_are_found_by_the_header(tmp_path: Path, delimiter: str) -> None:
    text = f'\ufeffmessage{delimiter}intent\r\n"one, two; three|\tfour\r\nfive"{delimiter}refund\r\nsix{delimiter}\r\n'
    first, second = Dataset(TRIAGE).load(file(tmp_path, "x.csv", text))
    assert (first.inputs["message"], first.expected) == ("one, two; three|\tfour\r\nfive", {"intent": "refund"})
    assert (second.expected, second.source) == ({}, "x.csv:4"), "an empty label is none; lines are those of the file"


def test_csv_cells_become_values_of_the_fields_types(tmp_path: Path) -> None:
    header = "message,urgent,amount,count,tags,note\n"
    (row,) = Dataset(FULL).load(file(tmp_path, "x.csv", header + '5,Yes,1e2,-3,"[""a"", 1]",true\n'))
    assert row.inputs == {"message": "5"}
    assert row.expected == {"urgent": True, "amount": 100.0, "count": -3, "tags": ["a", 1], "note": "true"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a,maybe,,,", "x.csv:3: column 'urgent': 'maybe' is no boolean (write true or false)"),
        ('a,,"1,5",,', "x.csv:3: column 'amount': '1,5' is no number (decimals take a point)"),
        ("a,,nan,,", "column 'amount': 'nan' is no number"),
        ("a,,,1.5,", "column 'count': '1.5' is no integer"),
        ("a,,,,{}", "column 'tags': {} is an object, but 'tags' is of type list"),
        ("a,,,,x", "column 'tags': 'x' is no JSON list"),
        ("a,b,c", "x.csv:3: 3 cells under a header of 5"),
        ('"a,,,,', "x.csv:3: not valid CSV"),
        ("\xe9".encode("latin1") + b",,,,", "x.csv:3: not UTF-8"),
    ],
)
def test_a_bad_csv_file_is_refused_with_line_and_remedy(tmp_path: Path, line: str | bytes, words: str) -> None:
    line = line.encode() if isinstance(line, str) else line
    path = file(tmp_path, "x.csv", b"message,urgent,amount,count,tags\ngood,yes,1,1,[]\n" + line + b"\n")
    assert words in refused(path, FULL)


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    assert "x.csv:1: two columns are called 'message'" in refused(file(tmp_path, "x.csv", "message,message\na,b\n"))


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
ROWS = st.lists(st.fixed_dictionaries({"message": TEXT, "intent": st.sampled_from(LABELS)}), min_size=1, max_size=8)


@given(rows=ROWS)
def test_jsonl_round_trip(rows: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("data") / "x.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8", newline="")
    assert [{**row.inputs, **row.expected} for row in Dataset(TRIAGE).rows(path)] == rows


@given(rows=ROWS, delimiter=st.sampled_from(",;\t|"))
def test_csv_round_trip(rows: list[dict[str, str]], delimiter: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("data") / "x.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, ["message", "intent"], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    assert [{**row.inputs, **row.expected} for row in Dataset(TRIAGE).rows(path)] == rows


def parquet(path: Path, columns: Mapping[str, list[Any]]) -> Path:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table(dict(columns)), path)
    return path


def test_parquet_is_read_like_the_others(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    said: list[str] = []
    path = parquet(
        tmp_path / "x.parquet",
        {"message": ["a", "b"], "intent": ["refund", None], "tags": [["x"], None], "day": [date(2026, 1, 2)] * 2},
    )
    first, second = Dataset(FULL, notice=said.append).load(path)
    assert (first.inputs, first.expected) == ({"message": "a"}, {"intent": "refund", "tags": ["x"]})
    assert (second.expected, second.source) == ({}, "x.parquet:2")
    assert len(said) == 1 and "'day'" in said[0]
    (row, _) = Dataset(FULL, columns={"day": "message"}, notice=print).load(path)
    assert row.inputs == {"message": "2026-01-02"}
    assert "not a Parquet file" in refused(file(tmp_path, "y.parquet", "PAR1 no"))


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert "pip install 'agentsym[data]'" in refused(file(tmp_path, "x.parquet", "x"))


def test_labels_of_an_inner_agent_count() -> None:
    outer = TRIAGE.replace(nodes=(AgentNode("inner", TRIAGE),))
    assert choice_labels(outer) == {"intent": LABELS}
    assert "did you mean 'cancel'?" in refused([{"message": "a", "intent": "cancle"}], outer)


def test_rows_in_memory_may_be_rows_already() -> None:
    row = Row(id="1", inputs={"message": "a"})
    assert Dataset(TRIAGE).load([row]) == (row,)


def labeled(labels: list[str]) -> list[Row]:
    return [Row(id=f"r{i}", inputs={"message": str(i)}, expected={"intent": label}) for i, label in enumerate(labels)]


@given(st.lists(st.sampled_from("abcd"), min_size=10, max_size=80), st.integers(0, 5), st.sampled_from([0.1, 0.2, 0.5]))
def test_a_split_is_stratified_seeded_and_blind_to_order(labels: list[str], seed: int, fraction: float) -> None:
    rows = labeled(labels)
    stays, aside = split(rows, fraction, seed=seed)
    assert sorted((*stays, *aside), key=lambda row: int(row.id[1:])) == rows
    assert [row.id for row in split(rows[::-1], fraction, seed=seed)[1]] == [row.id for row in aside][::-1]
    counts, gone = Counter(labels), Counter(row.expected["intent"] for row in aside)
    for label, count in counts.items():
        assert count * fraction - 1 < gone[label] <= count * fraction + 1
        assert gone[label] < count
    if all(count * fraction <= count - 1 for count in counts.values()):
        assert len(aside) == max(1, round(len(rows) * fraction))


def test_another_seed_sets_other_rows_aside() -> None:
    rows = labeled(["a", "b"] * 50)
    assert split(rows, seed=1) == split(rows, seed=1) != split(rows, seed=2)


def test_the_only_row_of_a_label_stays_but_free_text_is_no_label() -> None:
    rows = labeled(["rare", *["a"] * 20])
    assert all("rare" not in {row.expected["intent"] for row in split(rows, seed=seed)[1]} for seed in range(50))
    answers = labeled([f"answer {i}" for i in range(20)])
    assert len(split(answers, seed=0)[1]) == 4


def test_what_cannot_be_split_is_refused() -> None:
    with pytest.raises(DataError, match="--val"):
        split(labeled(["a"]))
    with pytest.raises(DataError, match="--val"):
        split(labeled(["a", "a"]), 1.0)


def test_duplicates_of_other_sets_are_dropped_from_train() -> None:
    train = [
        Row(id=str(i), inputs={"message": text}) for i, text in enumerate(["Where  is it?", "Why?", "Why?", "ﬁne"])
    ]
    val = [Row(id="v", inputs={"message": " where is IT?"})]
    test = [Row(id="t", inputs={"message": "fine"})]
    assert without_duplicates(train, val, test) == (tuple(train[1:3]), 2)
    assert without_duplicates(train) == (tuple(train), 0)
