#!/usr/bin/env bash
# Brings the new image in: store, then the relay without traffic, checked and then given 10, 50 and
# 100 %, checked and watched in between; then the rest. Whatever fails until the relay has all
# traffic takes store and relay back by itself.
# No function here stands before || or in a condition, but for those that say that they may: bash
# would go on after a failure inside it.
set -euo pipefail
# shellcheck source=infra/deploy/words.sh
source infra/deploy/words.sh
# shellcheck source=infra/deploy/choices.sh
source infra/deploy/choices.sh

image=$(<"$STATE/image")
reason='The release was interrupted.'
look='resource.labels.service_name="relay" AND severity>=WARNING'
# What a failure ends with; nothing once all is done.
ends=go_back
began=$(date -u +%Y-%m-%dT%H:%M:%SZ)
# After infra/restore.sh, and until replay.sh is through, the old and the new version have each a database.
replay=$(state_bucket)/replay
listed=$(gcloud storage ls "$(state_bucket)")
apart=$(grep -xF "$replay" <<<"$listed" || true)

old() {
  cat "$STATE/$1.old" 2>/dev/null || true
}

stopped() {
  printf '\nSTOPPED: %s\n' "$reason" >&2
  printf '  %s\n' "$@" \
    "Look: gcloud logging read '$look' --project=$PROJECT --freshness=3h --limit=50" "$AGAIN" >&2
}

go_back() {
  local failed='' service words
  for service in relay store; do
    [[ -n $(old "$service") ]] || continue
    move "$service" "$(old "$service")=100" || { failed+=" $service" && continue; }
    # Nobody is to find it any more, and hold.sh does without where this fails.
    gcloud run services update-traffic "$service" --project="$PROJECT" --region="$REGION" --quiet \
      --remove-tags=candidate >/dev/null || true
  done
  if [[ -n $failed ]]; then
    words="Going back failed:$failed. Do it now: infra/rollback.sh --project=$PROJECT --region=$REGION --to=held"
  elif [[ -n $(old relay) ]]; then
    words="All traffic is on $(old relay) again. Who connected to the new revision meanwhile stays there until the connection ends, within the hour."
  else
    words='There is no earlier version to go back to.'
  fi
  [[ -z $apart ]] ||
    words+=" What was stored meanwhile is in the other database; give it to this one as well: gcloud pubsub subscriptions seek incoming-store --project=$PROJECT --time=$began"
  stopped "$words"
}

# The functions were all new and did not do well.
functions_back() {
  local failed='' service words
  for service in fetch upkeep probe; do
    [[ -n $(old "$service") ]] || continue
    move "$service" "$(old "$service")=100" || failed+=" $service"
  done
  words='fetch, upkeep and probe are on the version before again.'
  [[ -z $failed ]] || words="These could not be taken back:$failed."
  stopped 'Relay and store have the new image and serve; the old and the new version get on with each other.' \
    "$words"
}

stay() {
  stopped 'Relay and store have the new image and serve; the old and the new version get on with each other.'
}
trap '[[ -z $ends ]] || "$ends"' EXIT

# Deploys a service without traffic: `new` is the revision, `url` its own address.
candidate() {
  local entry
  reason="$1 does not start with the new image."
  look="resource.labels.service_name=\"$1\" AND severity>=WARNING"
  new='' url=''
  gcloud run deploy "$1" --project="$PROJECT" --region="$REGION" --quiet \
    --image="$image" --no-traffic --tag=candidate >/dev/null
  entry=$(traffic "$1" | awk -F, '$1 == "candidate" { print $3, $4 }')
  read -r new url <<<"$entry"
  [[ -n $new && -n $url ]]
  printf '%s\n' "$new" >"$STATE/$1.new"
  say "$1: $new"
}

# A service that nobody connects to: the new revision takes all at once.
replace() {
  candidate "$1"
  reason="The traffic of $1 could not be moved."
  move "$1" "$new=100"
}

# Whether a revision is of the very files that this build is of; each build makes an image of its own.
# One that this is not known of is of others. May stand before ||.
is_this_version() {
  local of files
  of=$(gcloud run revisions describe "$1" --project="$PROJECT" --region="$REGION" \
    --format='value(spec.containers[0].image)') || return
  files=$(gcloud storage cat "$(state_bucket)/versions/${of#*@sha256:}") || return
  [[ $files == "$(<"$STATE/version")" ]]
}

# Later runs and infra/rollback.sh find both versions by these tags.
mark() {
  local tags
  reason="The revisions of $1 could not be tagged."
  tags=stable=$(<"$STATE/$1.new")
  [[ -z $(old "$1") ]] || is_this_version "$(old "$1")" || tags+=,previous=$(old "$1")
  gcloud run services update-traffic "$1" --project="$PROJECT" --region="$REGION" --quiet \
    --update-tags="$tags" --remove-tags=candidate,held >/dev/null
}

# Runs a command of the image to its end, as a job: its name, its account, seconds, its arguments,
# and what the job has besides.
job() {
  local name=$1 account=$2 seconds=$3 arguments=$4
  shift 4
  look="resource.type=\"cloud_run_job\" AND resource.labels.job_name=\"$name\""
  gcloud run jobs deploy "$name" --project="$PROJECT" --region="$REGION" --quiet --image="$image" \
    --command=node --args="dist/functions/client/distrise.js,$name,$arguments" \
    --service-account="distrise-$account@$PROJECT.iam.gserviceaccount.com" \
    --max-retries=0 --task-timeout="${seconds}s" --execute-now --wait "$@"
}

# Inside the network, so that it reaches the revision also where only a load balancer may.
check() {
  reason='The new relay does not do what it must (job check).'
  job check probe 300 "wss://${url#https://}" \
    --set-secrets=DISTRISE_SECRET_KEY=probe-key:latest \
    --network=distrise --subnet=services --vpc-egress=all-traffic
}

# Watches revisions from a moment on: health SINCE ,REVISION,…
health() {
  job health release "$((WATCH_SECONDS + 300))" "--since=$1,--wait=$WATCH_SECONDS$2" \
    --set-env-vars="GOOGLE_CLOUD_PROJECT=$PROJECT,METRICS_NAMESPACE=$ENVIRONMENT"
}

# Checks first: a relay that sleeps while nobody is connected writes nothing that could be judged.
watch() {
  local since
  since=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  check
  reason="The new version does worse at $1 % of the traffic, or that could not be seen (job health)."
  health "$since" ",$new,$(<"$STATE/store.new")"
}

replace store
candidate relay
check

steps=(10 50)
# The very first one has nobody whom it could disturb; and two databases are not to be written at once.
[[ ! -f $STATE/first && -z $apart ]] || steps=()
for percent in "${steps[@]}"; do
  reason="The traffic could not be moved to $percent %."
  move relay "$new=$percent,$(old relay)=$((100 - percent))"
  say "relay: $percent %"
  watch "$percent"
done
reason='The traffic could not be moved to 100 %.'
move relay "$new=100"
say 'relay: 100 %'
watch 100
mark store
mark relay

ends=stay
since=$(date -u +%Y-%m-%dT%H:%M:%SZ)
functions=''
for service in fetch upkeep probe; do
  replace "$service"
  functions+=,$new
done
ends=functions_back
reason='The new version of fetch, upkeep or probe does worse, or that could not be seen (job health).'
health "$since" "$functions"
ends=stay
for service in fetch upkeep probe; do mark "$service"; done
reason='The worker pools could not be listed.'
workers=$(pools)
if grep -qxF follow <<<"$workers"; then
  reason='follow could not be brought to the new image.'
  look='resource.labels.worker_pool_name="follow" AND severity>=WARNING'
  # Terraform has made this revision, of the new image.
  new=$(gcloud beta run worker-pools describe follow --project="$PROJECT" --region="$REGION" \
    --format='value(status.latestReadyRevisionName)')
  [[ -n $new ]]
  follow_as "$new"
  say "follow: $new"
fi
ends=
