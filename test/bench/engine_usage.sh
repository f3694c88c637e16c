#!/bin/bash
# test/bench/engine_usage.sh
# Purpose.     Bad usage of `hakmem bench` is one line that names the thing, and status 2, before anything is measured.
. "$SOURCE_DIR/test/cli/support.bash"

# bad TEXT ARGUMENT...
bad() {
    local text=$1
    shift
    expect 2 "$TEST_CLI" bench "$@"
    out_is_empty
    err_has "^hakmem bench: $text"
    [ "$(wc -l <"$work/err")" = 1 ] || fail "more than one line"
}

bad "no suite or workload is called 'nonsense'" nonsense
bad "no suite or workload is called 'lifo/17'" lifo/17
bad "no allocator is called 'nonsense'" --allocators nonsense lifo
bad "bad allocator '=path'" --allocators =path lifo
bad "two allocators are called 'libc'" --allocators libc,libc lifo
bad "--baseline jemalloc is not among the allocators: libc" --allocators libc --baseline jemalloc lifo
bad "--repeats 9: at least 10" --repeats 9 lifo
bad "argument --repeats: invalid int value: 'x'" --repeats x lifo
bad "--cpus takes numbers" --cpus x lifo
bad "--cpus 4095: this process may run on" --cpus 4095 lifo
bad "--json and --csv exclude each other" --json --csv lifo
bad "unrecognized arguments: --nonsense" --nonsense lifo
bad "no command after --" --
bad "'lifo' and a command exclude each other" lifo -- true
bad "there is no program $work/nothing" -- "$work/nothing"
bad "aa brings its own allocators" --allocators libc aa
bad "contention brings its own allocators" --allocators libc contention
bad "contention does not count 'lifo'" contention lifo
bad "contention has no page" --html "$work/page" contention
bad "cannot write $work/no/page" --html "$work/no/page" lifo
bad "cannot read the record $work/nothing" --from "$work/nothing"
bad "--check belongs to --publish" --check
echo '{}' >"$work/record"
bad "$work/record is no record" --from "$work/record"

expect 0 "$TEST_CLI" bench --help
out_has '^usage: hakmem bench'
expect 0 "$TEST_CLI" bench --list
for word in seed larson threads growth apps aa slowed ablate contention lifo mixed; do
    out_has "^  $word +[^ ]"
done
