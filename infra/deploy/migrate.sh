#!/usr/bin/env bash
# Brings the database to the schema of the new image, once: the migration takes a lock in the
# database, and what it adds the old version can live with. Terraform has given the job the image.
set -euo pipefail
# shellcheck source=infra/deploy/words.sh
source infra/deploy/words.sh

gcloud run jobs execute migrate --project="$PROJECT" --region="$REGION" --quiet --wait ||
  stop 'The migration failed; each of its files is a transaction, so none is half done.' \
    "Look: gcloud logging read 'resource.type=\"cloud_run_job\" AND resource.labels.job_name=\"migrate\"' --project=$PROJECT --freshness=1h --limit=50" \
    "$AGAIN" "$SERVES_ON"
