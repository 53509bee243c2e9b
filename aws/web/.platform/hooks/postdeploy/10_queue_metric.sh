#!/usr/bin/env bash
# Sends the number of waiting jobs to CloudWatch every minute; the workers' scaling and the alarms go by it. Every web
# instance sends the same number, and their average is taken.
set -euo pipefail
folder="${SPIRAL_FOLDER:-/etc/spiral}"
units="${SYSTEMD_FOLDER:-/etc/systemd/system}"

install -d -m 0755 "$folder"
# Looking is enough for it. The token lies where root alone may read it, in the form in which curl takes it.
(
    umask 077
    printf 'url = "http://127.0.0.1:9100/metrics"\n' >"$folder/metrics.curl"
    if [[ -n ${SPIRAL_VIEWER_TOKEN:-} ]]; then
        printf 'header = "authorization: Bearer %s"\n' "$SPIRAL_VIEWER_TOKEN" >>"$folder/metrics.curl"
    fi
)

cat >"$folder/send-queue-metric" <<'SCRIPT'
#!/usr/bin/env bash
set -euo pipefail
queued="$(curl --config "$(dirname "$0")/metrics.curl" --fail --silent --show-error --max-time 10 \
    | awk '/^spiral_jobs\{/ && /state="queued"/ { if ($NF != "NaN") { sum += $NF; known = 1 } } END { if (known) printf "%d", sum }')"
if [[ -z $queued ]]; then
    echo "the API does not know how many jobs wait" >&2
    exit 1
fi
exec aws cloudwatch put-metric-data --namespace Spiral --metric-name QueuedJobs --unit Count --value "$queued" \
    --dimensions "Stack=$1"
SCRIPT
chmod 0755 "$folder/send-queue-metric"

cat >"$units/spiral-queue-metric.service" <<UNIT
[Unit]
Description=Sends the number of waiting jobs to CloudWatch

[Service]
Type=oneshot
Environment=AWS_DEFAULT_REGION=${AWS_REGION:-${AWS_DEFAULT_REGION:-}}
ExecStart=$folder/send-queue-metric ${SPIRAL_STACK:-spiral}
UNIT
cat >"$units/spiral-queue-metric.timer" <<UNIT
[Unit]
Description=Every minute

[Timer]
OnBootSec=1min
OnUnitActiveSec=1min
AccuracySec=5s

[Install]
WantedBy=timers.target
UNIT
systemctl daemon-reload
systemctl enable --now spiral-queue-metric.timer
