#!/usr/bin/env bash
# Fetches the certificates of the authorities that sign RDS's, so that the API can tell its database from an impostor
# (sslmode=verify-full). What was fetched before is kept when the newest cannot be had.
set -euo pipefail
folder="${CERTIFICATES:-/etc/spiral/certificates}"
source="${CERTIFICATES_URL:-https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem}"

install -d -m 0755 "$folder"
part="$folder/.rds.pem.part"
if curl --fail --silent --show-error --location --retry 5 --retry-all-errors --max-time 60 --output "$part" "$source" \
    && grep -q 'BEGIN CERTIFICATE' "$part"; then
    chmod 0644 "$part"
    mv "$part" "$folder/rds.pem"
elif [[ -s $folder/rds.pem ]]; then
    rm -f "$part"
    echo "The certificates of RDS could not be fetched; those from before are used."
else
    rm -f "$part"
    echo "The certificates of RDS could not be fetched from $source: without them there is no connection to the database." >&2
    exit 1
fi
