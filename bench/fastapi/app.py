"""The same service with FastAPI, as one writes it who knows FastAPI: redis.asyncio, PyJWT, Argon2id
in the thread pool."""

import os
import time
from typing import Annotated

import jwt
import redis.asyncio as redis
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

ISSUER = "bench"
TTL_SECONDS = 3600

app = FastAPI()
bearer = HTTPBearer(auto_error=False)
store = redis.Redis.from_url(os.environ["REDIS_URL"])
secret = os.environ["SECRET_KEY"]
hasher = PasswordHasher()
password_hash = os.environ["ADMIN_PASSWORD_HASH"]


class Credentials(BaseModel):
    username: str
    password: str


async def authorized(
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> None:
    if credentials is None:
        raise HTTPException(401)
    try:
        jwt.decode(credentials.credentials, secret, algorithms=["HS256"], issuer=ISSUER)
    except jwt.InvalidTokenError as error:
        raise HTTPException(401) from error


@app.get("/api/ping")
async def ping() -> dict[str, str]:
    return {"status": "ok"}


# Not async: FastAPI runs it in its thread pool, where a password hash holds up nobody.
@app.post("/auth/login")
def login(credentials: Credentials) -> dict[str, str | int]:
    try:
        hasher.verify(password_hash, credentials.password)
    except VerificationError as error:
        raise HTTPException(401) from error
    if credentials.username != "admin":
        raise HTTPException(401)
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": "admin", "iat": now, "exp": now + TTL_SECONDS}
    token = jwt.encode(claims, secret, algorithm="HS256")
    return {"token": token, "token_type": "Bearer", "expires_in": TTL_SECONDS}


@app.get("/api/count", dependencies=[Depends(authorized)])
async def count() -> dict[str, int]:
    return {"visits": await store.incr("fastapi:visits")}
