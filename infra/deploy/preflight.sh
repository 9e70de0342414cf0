#!/usr/bin/env bash
# Looks whether everything is there that the next steps need, before any of them changes something.
set -euo pipefail
# shellcheck source=infra/deploy/words.sh
source infra/deploy/words.sh
# shellcheck disable=SC2034 # region.sh reads it
here=infra
# shellcheck source=infra/deploy/choices.sh
source infra/deploy/choices.sh
# shellcheck source=infra/deploy/region.sh
source infra/deploy/region.sh

trap '[[ $? == 0 ]] || printf "  %s\n" "$SERVES_ON" >&2' EXIT

BOOTSTRAP="infra/bootstrap.sh --project=$PROJECT"

# A substitution that was given must say what stands; a word forgotten or mistyped would otherwise
# build the whole system anew in other sizes, or without its domain.
compare() {
  local name stands given
  local -a lines=() flags=()
  for name in REGION ENVIRONMENT PROFILE DOMAIN; do
    stands=$(choice "$name" <<<"$1")
    given=${!name}
    [[ -n $given && $given != "$stands" ]] || continue
    lines+=("chosen: $name=$stands    given: _$name=$given")
    flags+=("--${name,,}=$given")
  done
  [[ ${#lines[@]} == 0 ]] ||
    stop 'The build was given something else than what this project was set up with.' "${lines[@]}" \
      "To go on as chosen, leave the substitution out: gcloud builds submit --project=$PROJECT" \
      "To change it: $BOOTSTRAP ${flags[*]}, and then the same."
}

[[ $WATCH_SECONDS =~ ^[0-9]{3,4}$ && $WATCH_SECONDS -ge 180 && $WATCH_SECONDS -le 1200 ]] ||
  stop "_WATCH_SECONDS is \"$WATCH_SECONDS\", and must be 180 to 1200: metrics are there after minutes." \
    "$SERVES_ON"

gcloud projects describe "$PROJECT" --format='value(projectNumber)' >/dev/null ||
  stop "The project $PROJECT is not there, or the deployer may not see it." \
    "Is it the right one? Then run: $BOOTSTRAP"

enabled=$(gcloud services list --enabled --project="$PROJECT" --format='value(config.name)') ||
  stop "The deployer may not list the APIs of $PROJECT." "Run: $BOOTSTRAP"
while read -r api; do
  grep -qxF "$api" <<<"$enabled" ||
    stop "The API $api is not enabled in $PROJECT." "Run: $BOOTSTRAP" "$AGAIN"
done <infra/deploy/apis.txt

# A new version may need an account that the bootstrap of an earlier one did not make.
while read -r name _; do
  gcloud iam service-accounts describe "distrise-$name@$PROJECT.iam.gserviceaccount.com" \
    --project="$PROJECT" --format='value(email)' </dev/null >/dev/null ||
    stop "The account distrise-$name is not there, or the deployer may not act as it." \
      "Run: $BOOTSTRAP" "$AGAIN"
done <infra/deploy/accounts.txt

gcloud storage buckets describe "$(state_bucket)" --format='value(name)' >/dev/null ||
  stop "The bucket for Terraform's state is not there, or the deployer may not see it." \
    "Run: $BOOTSTRAP"

gcloud storage buckets describe "gs://$PROJECT-distrise-archive" --format='value(name)' >/dev/null ||
  stop "The bucket for the archive is not there, or the deployer may not see it." \
    "Run: $BOOTSTRAP" "$AGAIN"

chosen=$(read_choices)
[[ -n $chosen ]] ||
  stop "What was chosen for $PROJECT stands nowhere ($(state_bucket)/choices)." \
    "Run: $BOOTSTRAP --region=… --environment=… --profile=… --domain=…"
compare "$chosen"
printf '%s\n' "$chosen" >"$STATE/choices"
# shellcheck source=/dev/null
source "$STATE/choices"

[[ -f infra/profiles/$PROFILE.tfvars ]] ||
  stop "There is no profile \"$PROFILE\"." \
    "Profiles: $(basename -a -s .tfvars infra/profiles/*.tfvars | tr '\n' ' ')" \
    "Choose one: $BOOTSTRAP --profile=…"

check_billing
gcloud artifacts repositories describe distrise --project="$PROJECT" --location="$REGION" \
  --format='value(name)' >/dev/null ||
  stop "Artifact Registry has no repository distrise in $REGION." "Run: $BOOTSTRAP"
check_region
check_quotas

say "Everything is there: $PROJECT, $REGION, profile $PROFILE${DOMAIN:+, $DOMAIN}."
