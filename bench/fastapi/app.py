"""The same service with FastAPI, as one writes it who knows FastAPI: redis.asyncio, PyJWT, Argon2id
in the thread pool."""

import os
import time
from functools import lru_cache
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
# Each request that counts has one of these connections meanwhile; the default of 100 answers more with 500.
store = redis.Redis.from_url(os.environ["REDIS_URL"], max_connections=1000)
secret = os.environ["SECRET_KEY"]
hasher = PasswordHasher()
password_hash = os.environ["ADMIN_PASSWORD_HASH"]


class Credentials(BaseModel):
    username: str
    password: str


# Each worker remembers the tokens it has verified; those that are invalid raise, and are not kept.
@lru_cache(maxsize=1000)
def expiry(token: str) -> int:
    claims = jwt.decode(
        token, secret, algorithms=["HS256"], issuer=ISSUER, options={"require": ["exp"]}
    )
    return int(claims["exp"])


def is_valid(token: str) -> bool:
    try:
        return time.time() < expiry(token)
    except jwt.InvalidTokenError:
        return False


async def authorized(
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> None:
    if credentials is None or not is_valid(credentials.credentials):
        raise HTTPException(401)


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
