# What is posted is kept by the other service, found by its name.
import os

import redis
from flask import Flask, request

app = Flask(__name__)
store = redis.Redis(host="store")


@app.post("/notes")
def note():
    store.rpush("notes", request.get_data())
    return "kept"


@app.get("/notes")
def notes():
    return b"\n".join(store.lrange("notes", 0, -1))


@app.get("/version")
def version():
    # of both: the store's is in a setting of its own
    its = store.config_get("tcp-keepalive")["tcp-keepalive"]
    mine = os.environ["VERSION"]
    return mine if its == f"30{mine}" else f"web {mine}, store {its}"
