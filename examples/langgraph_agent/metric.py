"""What a good answer of the help centre is: it holds the fact that was asked for and cites the right article."""


def cited_fact(row, output):
    """Half a point for the fact, half for the article's number in square brackets."""
    wanted, answer = f"[{row['article']}]", output["answer"]
    is_told, is_cited = row["answer"].lower() in answer.lower(), wanted in answer
    faults = [] if is_told else [f"it does not say {row['answer']!r}"]
    faults += [] if is_cited else [f"it does not cite {wanted}"]
    if output["shelf"] != row["shelf"]:
        faults += [f"the answer was looked for on the shelf {output['shelf']}, it stands on {row['shelf']}"]
    return (is_told + is_cited) / 2, "; ".join(faults)
