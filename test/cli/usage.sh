#!/bin/bash
# Bad usage: a message, exit status 2, nothing run. Help and version.
. "$(dirname "$0")/support.bash"

refused() {
    local pattern=$1
    shift
    expect 2 "$TEST_CLI" "$@"
    err_has "$pattern"
    out_is_empty
    [ ! -e "$work/ran" ] || fail "the program was run"
}

refused '^usage: '
refused 'no verb nonsense' nonsense -- touch "$work/ran"
refused 'no verb --nonsense' --nonsense
for verb in run verify; do
    refused 'no command to run' $verb
    refused 'no command to run' $verb --
    refused 'unknown option --nonsense' $verb --nonsense -- touch "$work/ran"
    refused 'unknown option -x' $verb -x -- touch "$work/ran"
    refused 'a value is missing after --set' $verb --set
    refused 'a value is missing after --lib' $verb --lib
    refused "--set takes NAME=VALUE, not thp" $verb --set thp -- touch "$work/ran"
    refused 'no option nonsense' $verb --set nonsense=1 -- touch "$work/ran"
    refused 'bad value purge_delay=abc: a number from 0 to' $verb --set purge_delay=abc -- touch "$work/ran"
    refused 'cannot run .*/missing: No such file' $verb --lib "$TEST_SO" -- "$work/missing"
    refused 'cannot run no-such-program: not found' $verb --lib "$TEST_SO" -- no-such-program
    refused 'cannot read the library' $verb --lib "$work/missing.so" -- touch "$work/ran"
    expect 0 "$TEST_CLI" $verb --help
    out_has "^usage: hakmem $verb "
    out_has '^  purge_delay +0\.\.'
    out_has '^  thp +never\|adaptive\|always'
done
refused 'unknown option' verify --json=yes -- touch "$work/ran"
refused 'exclude each other' verify --no-preload --lib "$TEST_SO" -- touch "$work/ran"
refused '--pid takes no command' verify --pid 1 -- touch "$work/ran"
refused '--pid takes no command' verify --pid 1 --no-preload
refused 'cannot write .*/no/such' verify --lib "$TEST_SO" --output "$work/no/such" -- touch "$work/ran"
refused 'missing after --pid' verify --pid
refused 'missing after --allocator' verify --allocator
refused '--allocator excludes' verify --allocator libc --lib "$TEST_SO" -- touch "$work/ran"
refused '--allocator excludes' verify --allocator libc --no-preload -- touch "$work/ran"
refused 'cannot run .*/missing: No such file' verify --allocator libc -- "$work/missing"
refused 'no command to run' verify --allocator libc
for with in '--allocator libc' --usage --leave-threads; do
    # shellcheck disable=SC2086
    refused '--pid takes no command' verify $with --pid 1
done
refused '--sample-ms says how often --usage samples' verify --sample-ms 5 -- touch "$work/ran"
for wrong in '' x -1 5x 60001 99999999999999999999; do
    refused "--sample-ms takes a number of milliseconds up to 60000, not '$wrong'" \
        verify --usage --sample-ms "$wrong" -- touch "$work/ran"
done

refused 'unknown option --nonsense' doctor --nonsense
refused 'a value is missing after --lib' doctor --lib
refused 'cannot read the library' doctor --lib "$work/missing.so"
refused 'no process 4194304' doctor 4194304
for wrong in abc 0 12x ''; do
    refused 'a command goes behind --. takes the number of a process' doctor "$wrong"
done
refused 'one process at most' doctor 1 2
refused 'no command behind --' doctor --
refused 'cannot run no-such-program: not found' doctor -- no-such-program
HAKMEM_DOCTOR_ROOT=$work refused 'there is no process 1 in' doctor --lib "$TEST_SO" 1
expect 0 "$TEST_CLI" doctor --help
out_has '^usage: hakmem doctor '

printf '#!/bin/sh\n' >"$work/plain"
refused 'not executable' verify --lib "$TEST_SO" -- "$work/plain"

expect 0 "$TEST_CLI" --help
out_has '^usage: hakmem VERB'
out_has '^  verify '
expect 0 "$TEST_CLI" --version
out_has '^hakmem [0-9]+\.[0-9]+\.[0-9]+$'
expect 2 verify --output /dev/full -- true
err_has 'cannot write the report'
