#!/bin/bash
# summary: git gc --aggressive of 6 commits to 200 files, two threads
# needs: git awk sort cksum
# Models.      Objects read, compared and packed by two threads; many blocks of the size of a file.
# Design.      --aggressive computes every delta anew, so each run does the work of the first one. Which deltas two
#              threads find is up to them; the objects are the same and are the result.
# Cannot show. Repositories that are larger than memory.
. "${BASH_SOURCE[0]%/*}/common.bash"

prepare() {
    rm -rf repo
    git init -q -b main repo
    cd repo
    export GIT_AUTHOR_DATE='1600000000 +0000' GIT_COMMITTER_DATE='1600000000 +0000'
    git config user.name bench
    git config user.email bench@example.org
    git config gc.auto 0
    git config pack.threads 2
    local round
    for round in 1 2 3 4 5 6; do
        awk -v round="$round" 'BEGIN {
            for (file = 1; file <= 200; file++) {
                for (line = round * 5; line < 500 + file; line++)
                    print line * file % 1000, "of", file >"file" file
                close("file" file)
            }
        }'
        git add -A
        git commit -qm "round $round"
    done
    cd ..
}

run() {
    git -C repo gc --quiet --aggressive --prune=now
    git -C repo rev-list --all --objects | sort | cksum
}

app "$@"
