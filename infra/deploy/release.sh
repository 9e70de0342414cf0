#!/usr/bin/env bash
# Brings the new image in: store, then the relay without traffic, checked and then given 10, 50 and
# 100 %, watched in between; then the rest. Whatever fails until the relay has all traffic takes
# store and relay back by itself.
set -euo pipefail
# shellcheck source=infra/deploy/words.sh
source infra/deploy/words.sh

image=$(<"$STATE/image")
reason='The release was interrupted.'
released=

old() {
  cat "$STATE/$1.old" 2>/dev/null || true
}

go_back() {
  local failed=
  for service in relay store; do
    [[ -n $(old "$service") ]] || continue
    move "$service" --to-revisions="$(old "$service")=100" >/dev/null || failed+=" $service"
  done
  printf '\nSTOPPED: %s\n' "$reason" >&2
  if [[ -n $failed ]]; then
    printf '  Going back failed:%s. Do it now: infra/rollback.sh --project=%s --region=%s --to=stable\n' \
      "$failed" "$PROJECT" "$REGION" >&2
  elif [[ -n $(old relay) ]]; then
    printf '  All traffic is on %s again.\n' "$(old relay)" >&2
  else
    printf '  There is no earlier version to go back to.\n' >&2
  fi
  printf '  Look: %s\n  %s\n' \
    "gcloud logging read 'resource.labels.service_name=\"relay\" AND severity>=WARNING' --project=$PROJECT --freshness=1h --limit=50" \
    "$AGAIN" >&2
}
trap '[[ -n $released ]] || go_back' EXIT

# Deploys a service without traffic; says the new revision and its own address.
candidate() {
  gcloud run deploy "$1" --project="$PROJECT" --region="$REGION" --quiet \
    --image="$image" --no-traffic --tag=candidate >/dev/null
  traffic "$1" | awk -F, '$1 == "candidate" { print $3, $4 }'
}

# A service that nobody connects to: the new revision takes all at once.
replace() {
  local new _
  reason="$1 does not start with the new image."
  read -r new _ < <(candidate "$1")
  say "$1: $new"
  move "$1" --to-revisions="$new=100" >/dev/null
  printf '%s\n' "$new" >"$STATE/$1.new"
}

# Later runs and infra/rollback.sh find both versions by these tags.
mark() {
  local tags
  tags=stable=$(<"$STATE/$1.new")
  [[ -z $(old "$1") ]] || tags+=,previous=$(old "$1")
  move "$1" --update-tags="$tags" --remove-tags=candidate >/dev/null
}

# Inside the network, so that it reaches the revision also where only a load balancer may.
check() {
  reason='The new relay does not do what it must (job check).'
  gcloud run jobs deploy check --project="$PROJECT" --region="$REGION" --quiet --image="$image" \
    --command=node --args="dist/functions/client/distrise.js,check,wss://${1#https://}" \
    --service-account="distrise-probe@$PROJECT.iam.gserviceaccount.com" \
    --set-secrets=DISTRISE_SECRET_KEY=probe-key:latest \
    --network=distrise --subnet=services --vpc-egress=all-traffic \
    --max-retries=0 --task-timeout=300s --execute-now --wait
}

watch() {
  reason="The new version does worse at $1 % of the traffic."
  docker run --rm --network=cloudbuild --env="GOOGLE_CLOUD_PROJECT=$PROJECT" \
    --env="METRICS_NAMESPACE=$ENVIRONMENT" "$image" \
    node dist/functions/client/distrise.js health --since="$(date -u +%Y-%m-%dT%H:%M:%SZ)" --wait="$WATCH_SECONDS" \
    "$(<"$STATE/relay.new")" "$(<"$STATE/store.new")"
}

replace store

reason='The relay does not start with the new image.'
read -r new url < <(candidate relay)
say "relay: $new at $url"
printf '%s\n' "$new" >"$STATE/relay.new"
check "$url"

steps=(10 50)
# The very first one has nobody whom it could disturb.
[[ ! -f $STATE/first ]] || steps=()
for percent in "${steps[@]}"; do
  reason="The traffic could not be moved to $percent %."
  move relay --to-revisions="$new=$percent,$(old relay)=$((100 - percent))" >/dev/null
  say "relay: $percent %"
  watch "$percent"
done
reason='The traffic could not be moved to 100 %.'
move relay --to-revisions="$new=100" >/dev/null
say 'relay: 100 %'
watch 100
mark store
mark relay
released=yes

later() {
  stop "$1 could not be brought to the new image." \
    'Relay and store have it and serve; the old and the new version get on with each other.' "$AGAIN"
}
for service in fetch upkeep probe; do
  replace "$service" || later "$service"
  mark "$service" || later "$service"
done
pools=$(gcloud beta run worker-pools list --project="$PROJECT" --region="$REGION" \
  --format='value(metadata.name)') || later follow
if grep -qxF follow <<<"$pools"; then
  gcloud beta run worker-pools update follow --project="$PROJECT" --region="$REGION" --quiet \
    --image="$image" || later follow
fi
