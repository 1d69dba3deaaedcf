"""The same service with Flask, as one writes it who knows Flask: redis-py's pool, PyJWT, Argon2id."""

import os
import time
from functools import lru_cache

import jwt
import redis
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from flask import Flask, Response, jsonify, request

ISSUER = "bench"
TTL_SECONDS = 3600

app = Flask(__name__)
store = redis.Redis.from_url(os.environ["REDIS_URL"])
secret = os.environ["SECRET_KEY"]
hasher = PasswordHasher()
password_hash = os.environ["ADMIN_PASSWORD_HASH"]


def unauthorized() -> tuple[Response, int]:
    return jsonify(error="unauthorized"), 401


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


@app.get("/api/ping")
def ping() -> Response:
    return jsonify(status="ok")


@app.post("/auth/login")
def login() -> Response | tuple[Response, int]:
    credentials = request.get_json()
    try:
        hasher.verify(password_hash, credentials["password"])
    except VerificationError:
        return unauthorized()
    if credentials["username"] != "admin":
        return unauthorized()
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": "admin", "iat": now, "exp": now + TTL_SECONDS}
    token = jwt.encode(claims, secret, algorithm="HS256")
    return jsonify(token=token, token_type="Bearer", expires_in=TTL_SECONDS)


@app.get("/api/count")
def count() -> Response | tuple[Response, int]:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not is_valid(token):
        return unauthorized()
    return jsonify(visits=store.incr("flask:visits"))
