# Sourced by the programs of bench/apps.
# Purpose.     What they share: the two verbs, and an environment in which the result is the same on every machine.
# Design.      An app defines prepare and run, and ends with `app "$@"`. Both find themselves in DIR. Everything that run
#              starts belongs to the measurement, so it starts little else than the program, and the last thing with exec
#              where it can. Its standard output is the result: the same under every allocator and in every run.
#              LD_PRELOAD is left alone: who starts the app decides which allocator serves it.
# Use.         <app>.sh prepare DIR    writes the input into DIR, which may exist
#              <app>.sh run DIR        as often as you like
#              Exit status 77: a program named by `# needs:` is not installed.
# shellcheck shell=bash
set -euo pipefail
export LC_ALL=C.UTF-8 TZ=UTC PATH=/usr/sbin:/usr/bin:/sbin:/bin PYTHONHASHSEED=0 PERL_HASH_SEED=0
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
unset PYTHONPATH PYTHONHOME PERL5LIB NODE_PATH NODE_OPTIONS GIT_DIR GIT_CONFIG

stop() {
    local status=$1
    shift
    echo "${0##*/}: $*" >&2
    exit "$status"
}

app() {
    [ $# = 2 ] && [[ $1 = prepare || $1 = run ]] || stop 2 "usage: ${0##*/} prepare DIR | run DIR"
    local program line
    while read -r line; do
        [[ $line = '# needs: '* ]] || continue
        for program in ${line#\# needs: }; do
            command -v "$program" >/dev/null || stop 77 "$program is not installed (tools/bootstrap bench installs it)"
        done
    done <"$0"
    [ "$1" = run ] || mkdir -p "$2"
    cd "$2" 2>/dev/null || stop 2 "no directory $2"
    export HOME=$PWD
    if [ "$1" = prepare ]; then
        rm -f prepared
        prepare
        touch prepared
    else
        [ -e prepared ] || stop 2 "nothing prepared in $2: ${0##*/} prepare $2"
        run
    fi
}
