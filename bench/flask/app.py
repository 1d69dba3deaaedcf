"""The same service with Flask, as one writes it who knows Flask: redis-py's pool, PyJWT, Argon2id."""

import os
import time

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
    if scheme.lower() != "bearer":
        return unauthorized()
    try:
        jwt.decode(token, secret, algorithms=["HS256"], issuer=ISSUER)
    except jwt.InvalidTokenError:
        return unauthorized()
    return jsonify(visits=store.incr("flask:visits"))
