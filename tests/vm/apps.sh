#!/bin/sh
# Two programs that nobody here wrote, as their users would deploy them; all
# of tests/apps by "make apptest".
cd "$(dirname "$0")/../.." || exit 1
exec tests/apps/run nginx redis
