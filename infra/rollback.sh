#!/usr/bin/env bash
# Gives all traffic to another version that is still there.
#   infra/rollback.sh --project=ID --region=REGION [--to=previous|stable|held]
# previous: the one before the last release (default); stable: the last one that was released
# whole; held: the one that served when the last build began.
set -euo pipefail

PROJECT='' REGION='' to=previous
for argument in "$@"; do
  case $argument in
  --project=*) PROJECT=${argument#*=} ;;
  --region=*) REGION=${argument#*=} ;;
  --to=previous | --to=stable | --to=held) to=${argument#*=} ;;
  *) printf 'rollback.sh: what is "%s"? See the head of this file.\n' "$argument" >&2 && exit 2 ;;
  esac
done
[[ -n $PROJECT && -n $REGION ]] || { sed -n '2,6s/^# *//p' "$0" >&2 && exit 2; }

# shellcheck source=infra/deploy/words.sh
source "$(dirname "${BASH_SOURCE[0]}")/deploy/words.sh"

# A build that runs would lead traffic on to what it brings.
lock=gs://$PROJECT-distrise-state/deployment.lock
if [[ $to == previous ]] && text=$(gcloud storage cat "$lock" 2>/dev/null); then
  read -r build where _ <<<"$text"
  status=$(gcloud builds describe "$build" --project="$PROJECT" --region="$where" --format='value(status)') ||
    stop "The build $build holds the lock, and whether it still runs cannot be seen." \
      "If it does not: gcloud storage rm $lock"
  case $status in
  QUEUED | PENDING | WORKING)
    stop "The build $build changes this project now, and would lead traffic on. First:" \
      "  gcloud builds cancel $build --project=$PROJECT --region=$where" \
      'Then this, with --to=held for what served before that build.'
    ;;
  esac
fi

# Each step decides for itself, since bash goes on after a failure in a function before ||.
back() {
  local entries
  entries=$(traffic "$1") || return
  revision=$(tagged "$to" <<<"$entries")
  [[ -n $revision ]] && move "$1" "$revision=100"
}

# The worker has no tags: its revision is the newest one of the image that fetch goes back to.
follow_back() {
  local fetch=$1 image revisions
  [[ -n $fetch ]] || return
  image=$(gcloud run revisions describe "$fetch" --project="$PROJECT" --region="$REGION" \
    --format='value(spec.containers[0].image)') || return
  revisions=$(gcloud beta run worker-pools revisions list --worker-pool=follow --project="$PROJECT" \
    --region="$REGION" --sort-by=~metadata.creationTimestamp \
    --format='csv[no-heading](metadata.name,spec.containers[0].image)') || return
  revision=$(awk -F, -v image="$image" '$2 == image { print $1; exit }' <<<"$revisions")
  [[ -n $revision ]] && follow_as "$revision"
}

failed='' fetch=''
for service in relay store fetch upkeep probe; do
  revision=''
  if back "$service"; then
    printf '%s is on its revision "%s", %s.\n' "$service" "$to" "$revision"
  else
    failed+=" $service"
  fi
  [[ $service != fetch ]] || fetch=$revision
done
if ! workers=$(pools); then
  failed+=' follow'
elif grep -qxF follow <<<"$workers"; then
  if follow_back "$fetch"; then
    printf 'follow is on %s.\n' "$revision"
  else
    failed+=' follow'
  fi
fi
[[ -z $failed ]] || {
  printf 'Not moved:%s. Is there a revision with the tag "%s"? See: gcloud run services describe SERVICE --project=%s --region=%s\n' \
    "$failed" "$to" "$PROJECT" "$REGION" >&2
  exit 1
}
