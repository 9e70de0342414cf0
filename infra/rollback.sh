#!/usr/bin/env bash
# Gives all traffic to another version that is still there.
#   infra/rollback.sh --project=ID --region=REGION [--to=previous|stable]
# previous: the one before the last release (default); stable: the last one that was released whole.
set -euo pipefail

PROJECT='' REGION='' to=previous
for argument in "$@"; do
  case $argument in
  --project=*) PROJECT=${argument#*=} ;;
  --region=*) REGION=${argument#*=} ;;
  --to=previous | --to=stable) to=${argument#*=} ;;
  *) printf 'rollback.sh: what is "%s"? See the head of this file.\n' "$argument" >&2 && exit 2 ;;
  esac
done
[[ -n $PROJECT && -n $REGION ]] || { sed -n '2,5s/^# *//p' "$0" >&2 && exit 2; }

failed=
for service in relay store fetch upkeep probe; do
  if gcloud run services update-traffic "$service" --project="$PROJECT" --region="$REGION" --quiet \
    --to-tags="$to=100" >/dev/null; then
    printf '%s is on its revision "%s".\n' "$service" "$to"
  else
    failed+=" $service"
  fi
done
[[ -z $failed ]] || {
  printf 'Not moved:%s. Is there a revision with the tag "%s"? See: gcloud run services describe SERVICE --project=%s --region=%s\n' \
    "$failed" "$to" "$PROJECT" "$REGION" >&2
  exit 1
}
