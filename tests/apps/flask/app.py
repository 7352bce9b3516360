# A counter in SQLite on the volume, by two workers of gunicorn.
import os
import sqlite3

from flask import Flask

app = Flask(__name__)


def db():
    c = sqlite3.connect("/data/count.db", timeout=20)
    # the power may fail: a commit is on the disk, its journal's end too
    c.execute("pragma synchronous = extra")
    c.execute("create table if not exists hit (t text)")
    return c


@app.post("/hit")
def hit():
    with db() as c:
        c.execute("insert into hit values ('x')")
    return "ok"


@app.get("/hits")
def hits():
    return str(db().execute("select count(*) from hit").fetchone()[0])


@app.get("/version")
def version():
    return os.environ["VERSION"]
