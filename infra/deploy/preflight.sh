#!/usr/bin/env bash
# Looks whether everything is there that the next steps need, before any of them changes something.
set -euo pipefail
# shellcheck source=infra/deploy/words.sh
source infra/deploy/words.sh

BOOTSTRAP="infra/bootstrap.sh --project=$PROJECT --region=$REGION --environment=$ENVIRONMENT --profile=$PROFILE"

[[ -f infra/profiles/$PROFILE.tfvars ]] ||
  stop "There is no profile \"$PROFILE\"." \
    "Profiles: $(basename -a -s .tfvars infra/profiles/*.tfvars | tr '\n' ' ')" "$SERVES_ON"

[[ $WATCH_SECONDS =~ ^[0-9]{3,4}$ && $WATCH_SECONDS -ge 180 && $WATCH_SECONDS -le 1200 ]] ||
  stop "_WATCH_SECONDS is \"$WATCH_SECONDS\", and must be 180 to 1200: metrics are there after minutes." \
    "$SERVES_ON"

gcloud projects describe "$PROJECT" --format='value(projectNumber)' >/dev/null ||
  stop "The project $PROJECT is not there, or the deployer may not see it." \
    "Is it the right one? Then run: $BOOTSTRAP" "$SERVES_ON"

enabled=$(gcloud services list --enabled --project="$PROJECT" --format='value(config.name)') ||
  stop "The deployer may not list the APIs of $PROJECT." "Run: $BOOTSTRAP" "$SERVES_ON"
while read -r api; do
  grep -qxF "$api" <<<"$enabled" ||
    stop "The API $api is not enabled in $PROJECT." "Run: $BOOTSTRAP" "$AGAIN" "$SERVES_ON"
done <infra/deploy/apis.txt

# A new version may need an account that the bootstrap of an earlier one did not make.
while read -r name _; do
  gcloud iam service-accounts describe "distrise-$name@$PROJECT.iam.gserviceaccount.com" \
    --project="$PROJECT" --format='value(email)' </dev/null >/dev/null ||
    stop "The account distrise-$name is not there, or the deployer may not act as it." \
      "Run: $BOOTSTRAP" "$AGAIN" "$SERVES_ON"
done <infra/deploy/accounts.txt

regions=$(gcloud run regions list --project="$PROJECT" --format='value(locationId)') ||
  stop 'The regions of Cloud Run cannot be listed.' "Run: $BOOTSTRAP" "$SERVES_ON"
grep -qxF "$REGION" <<<"$regions" ||
  stop "Cloud Run has no region $REGION." \
    "gcloud run regions list shows all; give one with --substitutions=_REGION=…" "$SERVES_ON"

gcloud storage buckets describe "gs://$PROJECT-distrise-state" --format='value(name)' >/dev/null ||
  stop "The bucket for Terraform's state is not there, or the deployer may not see it." \
    "Run: $BOOTSTRAP" "$SERVES_ON"

gcloud storage buckets describe "gs://$PROJECT-distrise-archive" --format='value(name)' >/dev/null ||
  stop "The bucket for the archive is not there, or the deployer may not see it." \
    "Run: $BOOTSTRAP" "$AGAIN" "$SERVES_ON"

gcloud artifacts repositories describe distrise --project="$PROJECT" --location="$REGION" \
  --format='value(name)' >/dev/null ||
  stop "Artifact Registry has no repository distrise in $REGION." "Run: $BOOTSTRAP" "$SERVES_ON"

say "Everything is there: $PROJECT, $REGION, profile $PROFILE."
