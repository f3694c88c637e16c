#!/bin/bash
# summary: python3 with PYTHONMALLOC=malloc: every object a block of malloc's
# needs: python3
# Models.      python3 as it is run where its own allocator is switched off, for a better one or to look for leaks.
# Cannot show. The usual python3, which is python.
export PYTHONMALLOC=malloc
. "${BASH_SOURCE[0]%/*}/python.sh"
