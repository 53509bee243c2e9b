#!/usr/bin/env bash
# Brings the schema up to date before this instance serves the new release. Every instance does so: `migrate up` takes a
# lock in PostgreSQL, so the first one applies what is missing and the others find nothing to do. If it fails, Elastic
# Beanstalk ends the deployment here, and the old release goes on.
#
# Elastic Beanstalk hands the environment's properties and secrets to hooks as environment variables. Docker takes them by
# name, so that no value is on a command line.
set -euo pipefail
image="@migrate@"

status=0
docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges \
    --volume /etc/spiral/certificates:/etc/spiral/certificates:ro \
    --env SPIRAL_DATABASE_URL --env SPIRAL_DATABASE_PASSWORD \
    "$image" up --wait 60 || status=$?
if ((status == 5)); then
    # After a rollback: the release before works with the newer schema (docs/deploy/upgrades.md).
    echo "The schema is newer than this release. It is left as it is."
    status=0
fi
exit "$status"
