# Sourced by the scripts here and in aws/: stops with a clear message when a setting or a program is missing. It never
# prints a value.
# shellcheck shell=bash

# require NAME 'what it is': the variable NAME has to be set, and not empty.
require() {
    if [[ -z ${!1:-} ]]; then
        echo "${0##*/}: $1 is not set. It is $2." >&2
        exit 2
    fi
}

# require_program NAME 'where to get it'
require_program() {
    if ! command -v "$1" >/dev/null; then
        echo "${0##*/}: there is no $1 on this machine: $2." >&2
        exit 2
    fi
}
