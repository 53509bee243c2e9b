#!/bin/sh
# Starts Redis with the passwords out of their secrets. On the command line every process of the machine could read them.
# redis_password is the operator's (the user `default`), redis_spiral_password that of the API and the workers.
set -eu

secret() {
    text="$(cat "/run/secrets/$1")"
    case "$text" in
    '')
        echo "redis: the secret $1 is empty" >&2
        exit 1
        ;;
    *[!A-Za-z0-9._~-]*)
        echo "redis: the secret $1 may have letters, digits and . _ ~ - alone" >&2
        exit 1
        ;;
    esac
    printf '%s' "$text"
}

password="$(secret redis_password)"
spiral="$(secret redis_spiral_password)"
prefix="${SPIRAL_REDIS_PREFIX:-spiral}"
case "$prefix" in
*[!A-Za-z0-9._:-]*)
    echo "redis: SPIRAL_REDIS_PREFIX may have letters, digits and . _ : - alone" >&2
    exit 1
    ;;
esac

umask 077
{
    cat /spiral/redis.conf
    echo "requirepass $password"
    sed -e '/^#/d' -e "s/@password@/$spiral/" -e "s/@prefix@/$prefix/" /spiral/redis.acl
} >/run/redis/redis.conf
exec redis-server /run/redis/redis.conf
