#!/bin/bash
# git: a repository of fixed dates, so that every hash is the same on libc and on hakmem; repack with threads, gc, fsck.
# shellcheck source=../support/preload.sh
. "$(dirname "$0")/../support/preload.sh"
require git

cat >"$work/story.sh" <<'STORY'
set -e
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=c GIT_COMMITTER_EMAIL=c@example.org
export GIT_CONFIG_NOSYSTEM=1 GIT_PAGER=cat
commit() {
    clock=$((${clock:-1600000000} + 3600))
    GIT_AUTHOR_DATE="$clock +0000" GIT_COMMITTER_DATE="$clock +0000" git commit -qm "$1"
}
git init -q -b main .
git config gc.auto 0
for round in 1 2 3 4 5 6; do
    mkdir -p dir0 dir1 dir2 dir3 dir4 dir5 dir6
    awk -v round=$round 'BEGIN {
        for (file = 1; file <= 60; file++) {
            name = "dir" file % 7 "/file" file
            for (line = file * round; line <= file * 30 + round * 11; line++)
                print "line " line " of file " file >name
            close(name)
        }
    }'
    git add -A
    commit "round $round"
    [ $round != 3 ] || git branch side
done
git checkout -q side
echo side >side.txt
git add side.txt
commit side
git checkout -q main
GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000' git merge -q --no-edit side
git repack -q -adf --depth=50 --window=50 --threads=2
git fsck --full --strict
git log --stat --format='%H %T %an %ad %s'
git blame -s dir3/file3 | tail -n 5
git grep -c 'line 10. of' | tail -n 5
git diff --stat HEAD~3 HEAD
git gc -q --prune=now
git fsck --full
git count-objects -v | grep -v -E '^(size|size-pack|size-garbage):'
git rev-parse HEAD 'HEAD^{tree}' side
git clone -q . ../clone.$$
git -C ../clone.$$ rev-parse HEAD
rm -rf ../clone.$$
STORY

both git bash "$work/story.sh"
grep -c '' "$work/git.hakmem.out" | grep -qvx '[0-9]' || fail "git: hardly any output"
same_files git .git/HEAD .git/packed-refs
