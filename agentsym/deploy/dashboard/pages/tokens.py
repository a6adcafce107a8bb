"""Tokens: whose there are, and how one ends. Making one shows a secret, so that is left to the command line."""

from __future__ import annotations

from agentsym.deploy.dashboard.visits import Page, Redirect, Visit


def show(visit: Visit) -> Page:
    """List all tokens."""
    found = visit.desk.store.tokens.all()
    good = {token.id for token in found if visit.desk.store.tokens.good(token.id) is not None}
    return Page("tokens.html", {"tokens": found, "good": good, "own": visit.session.token.id})


def revoke(visit: Visit) -> Redirect:
    """End a token; who ends their own is signed out."""
    visit.desk.store.tokens.revoke(visit.path["token"], actor=visit.actor)
    return Redirect("tokens?done=revoked")
