#!/usr/bin/env bash
# Brings the schema up to date before this instance serves the new release. Every instance does so: `migrate up` takes a
# lock in PostgreSQL, so the first one applies what is missing and the others find nothing to do. If it fails, Elastic
# Beanstalk ends the deployment here, and the old release goes on.
#
# They run as the owner of the tables, and give the role that the API connects as what it needs. A stack from before that
# role has one user for both. It runs as a confighook as well, because a new stack changes the settings of the old release.
#
# Elastic Beanstalk hands the environment's properties and secrets to hooks as environment variables. Docker takes them by
# name, so that no value is on a command line.
set -euo pipefail
image="@migrate@"

if [[ -n ${SPIRAL_OWNER_DATABASE_URL:-} ]]; then
    export SPIRAL_DATABASE_API_ROLE=spiral_api SPIRAL_DATABASE_API_PASSWORD="$SPIRAL_DATABASE_PASSWORD"
    export SPIRAL_DATABASE_URL="$SPIRAL_OWNER_DATABASE_URL" SPIRAL_DATABASE_PASSWORD="$SPIRAL_OWNER_DATABASE_PASSWORD"
fi

status=0
docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges \
    --volume /etc/spiral/certificates:/etc/spiral/certificates:ro \
    --env SPIRAL_DATABASE_URL --env SPIRAL_DATABASE_PASSWORD \
    --env SPIRAL_DATABASE_API_ROLE --env SPIRAL_DATABASE_API_PASSWORD \
    "$image" up --wait 60 || status=$?
if ((status == 5)); then
    # After a rollback: the release before works with the newer schema (docs/deploy/upgrades.md).
    echo "The schema is newer than this release. It is left as it is."
    status=0
fi
exit "$status"
