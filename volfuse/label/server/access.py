"""Routes through which MONAI Label's own clients get the token: any user name, and the token as the password."""

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request

from volfuse.label.tokens import Access

router = APIRouter(prefix="/auth", tags=["Access"])


@router.get("/", summary="Is a token needed?")
def is_needed() -> dict[str, bool]:
    """Return that it is: always."""
    return {"enabled": True}


@router.post("/token", summary="Exchange the password for the token")
def token(
    request: Request,
    password: Annotated[str, Form(max_length=200)],
    username: Annotated[str, Form(max_length=200)] = "",
) -> dict[str, str]:
    """Return the token to a client that knows it already."""
    access: Access = request.app.state.access
    if access.reader(password) is None:
        raise HTTPException(401, f"The password is the token. {access.hint}")
    return {"access_token": password, "token_type": "bearer"}


@router.get("/token/valid", summary="Is the token right?")
def is_valid(request: Request) -> dict[str, str]:
    """Return whose it is; a request without a token does not get here."""
    return {"username": request.scope["reader"] or "reader"}
