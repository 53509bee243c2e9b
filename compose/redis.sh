#!/bin/sh
# Starts Redis with the password out of its secret. On the command line every process of the machine could read it.
set -eu

secret=/run/secrets/redis_password
password="$(cat "$secret")"
case "$password" in
'')
    echo "redis: the secret redis_password is empty" >&2
    exit 1
    ;;
*[!A-Za-z0-9._~-]*)
    echo "redis: the secret redis_password may have letters, digits and . _ ~ - alone" >&2
    exit 1
    ;;
esac

umask 077
{
    cat /spiral/redis.conf
    echo "requirepass $password"
} >/run/redis/redis.conf
exec redis-server /run/redis/redis.conf
