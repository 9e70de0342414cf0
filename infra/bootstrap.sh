#!/usr/bin/env bash
# Prepares an empty Google Cloud project for Distrise, or takes Distrise down again.
#   infra/bootstrap.sh --project=ID [--region=us-central1] [--environment=distrise]
#                      [--profile=personal] [--domain=relay.example.com] [--yes]
#   infra/bootstrap.sh --project=ID --destroy [--and-data] [--yes]
# Safe to run again at any time. It says what it will do and asks; --yes answers for you. What is
# chosen here every build takes; run again with another profile or domain, it changes that, and what
# is left out stays as it is.
# --destroy stops all that runs and keeps all data; with --and-data the whole project goes, and for
# 30 days "gcloud projects undelete ID" brings it back.
set -euo pipefail
((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)) || { printf 'bootstrap.sh: needs bash 4.4 or newer (macOS: brew install bash), or Cloud Shell\n' >&2 && exit 1; }

PROJECT='' yes='' destroy='' data=''
# What is chosen where nothing was chosen before; DATABASE is infra/restore.sh's to change.
REGION=us-central1 ENVIRONMENT=distrise PROFILE=personal DOMAIN='' DATABASE=distrise
declare -A given=()
here=$(dirname "${BASH_SOURCE[0]}")

stop() {
  printf 'bootstrap.sh: %s\n' "$@" >&2
  exit 1
}

usage() {
  sed -n '2,12s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

for argument in "$@"; do
  case $argument in
  --project=*) PROJECT=${argument#*=} ;;
  --region=*) given[REGION]=${argument#*=} ;;
  --environment=*) given[ENVIRONMENT]=${argument#*=} ;;
  --profile=*) given[PROFILE]=${argument#*=} ;;
  --domain=*) given[DOMAIN]=${argument#*=} ;;
  --yes) yes=yes ;;
  --destroy) destroy=yes ;;
  --and-data) data=yes ;;
  *) usage ;;
  esac
done
[[ $PROJECT =~ ^[a-z][a-z0-9-]{4,28}[a-z0-9]$ ]] || usage
[[ -z $data || -n $destroy ]] || stop '--and-data goes with --destroy'
# shellcheck source=infra/deploy/choices.sh
source "$here/deploy/choices.sh"
# shellcheck source=infra/deploy/region.sh
source "$here/deploy/region.sh"

number=$(gcloud projects describe "$PROJECT" --format='value(projectNumber)') ||
  stop "the project $PROJECT is not there or not yours. You are: $(gcloud config get account 2>/dev/null)" \
    'Make it first: gcloud projects create ID, and link a billing account to it.'

# What was chosen before, and whether Terraform has made something since.
stands='' deployed=''
if gcloud storage buckets describe "$(state_bucket)" --format='value(name)' >/dev/null 2>&1; then
  stands=$(read_choices)
  if gcloud storage ls "$(state_bucket)/**.tfstate" >/dev/null 2>&1; then deployed=yes; fi
fi
[[ -z $deployed || -n $stands || ${#given[@]} == 4 ]] ||
  stop 'This project was deployed before, and as what stands nowhere.' \
    'Say it once: --region=… --environment=… --profile=… --domain=… (empty where there is none)'

# Sets REGION and the others: as given, else as they stand, else as above. Says what that changes.
changes=()
for name in "${CHOICES[@]}"; do
  before=$(choice "$name" <<<"$stands")
  [[ -z $stands ]] || printf -v "$name" %s "$before"
  [[ ! -v given[$name] ]] || printf -v "$name" %s "${given[$name]}"
  [[ -z $stands || ${!name} == "$before" ]] || changes+=("$name: \"$before\" becomes \"${!name}\"")
  case $name in REGION | ENVIRONMENT)
    [[ -z $deployed || -z $stands || ${!name} == "$before" ]] ||
      stop "This project runs Distrise with $name=$before already, and that stays:" \
        'another one would be made anew, without its data. Use another project for it.'
    ;;
  esac
done
[[ -f $here/profiles/$PROFILE.tfvars ]] || stop "there is no profile \"$PROFILE\"" \
  "Profiles: $(basename -a -s .tfvars "$here"/profiles/*.tfvars | tr '\n' ' ')"
[[ $DOMAIN =~ ^([a-z0-9-]+(\.[a-z0-9-]+)+)?$ ]] || stop 'a domain is named like relay.example.com'
[[ $REGION =~ ^[a-z]+-[a-z]+[0-9]+$ ]] || stop 'a region is named like us-central1'
[[ $ENVIRONMENT =~ ^[a-z0-9_-]{1,63}$ ]] || stop 'an environment has lowercase letters, digits, - and _'

ask() {
  [[ -z $yes ]] || return 0
  local answer
  read -r -p "$1 " answer
  [[ $answer == "$2" ]] || stop 'Nothing was done.'
}

deployer=distrise-deployer@$PROJECT.iam.gserviceaccount.com
state=$(state_bucket)
# Where gcloud builds submit puts the source.
source=gs://${PROJECT}_cloudbuild
# Who may make a bucket may write to all of them, so the deployer makes none.
archive=gs://$PROJECT-distrise-archive

# The deployer may give these roles to the accounts of the services, and no others to anybody.
grants_condition() {
  local list
  list=$(sed "s/PROJECT/$PROJECT/; s/.*/'&'/" "$here/deploy/grants.txt" | paste -sd, -)
  printf 'title: %s\nexpression: "%s"\n' 'Only the roles of Distrise' \
    "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly([$list])"
}

# An account that was made a moment ago is not known everywhere for a minute or so.
patiently() {
  local tries=9
  until "$@"; do
    tries=$((tries - 1))
    [[ $tries -gt 0 ]] || return 1
    sleep "${RETRY_SECONDS:-10}"
  done
}

grant() {
  patiently gcloud projects add-iam-policy-binding "$PROJECT" --member="serviceAccount:$deployer" \
    --format=none --quiet "$@"
}

# Makes an account that is not there: its name, a title, what it does.
account() {
  local email=$1@$PROJECT.iam.gserviceaccount.com
  gcloud iam service-accounts describe "$email" --project="$PROJECT" --format=none >/dev/null 2>&1 ||
    gcloud iam service-accounts create "$1" --project="$PROJECT" --display-name="$2" --description="$3"
}

# What an earlier version gave the deployer and this one does not, and its condition, which is given
# anew: it names what this version grants.
take_back() {
  local role
  gcloud projects get-iam-policy "$PROJECT" --flatten='bindings[].members' \
    --filter="bindings.members=serviceAccount:$deployer" --format='value(bindings.role)' | sort -u |
    while read -r role; do
      grep -qxF "$role" "$here/deploy/roles.txt" ||
        gcloud projects remove-iam-policy-binding "$PROJECT" --member="serviceAccount:$deployer" \
          --role="$role" --all --format=none --quiet </dev/null
    done
}

# The services run as these, and nobody but the deployer may start something as one of them. It may
# act as no other account of the project, such as the default one, which may be an editor.
accounts_of_services() {
  local name text
  while read -r name text; do
    account "distrise-$name" "Distrise: $name" "$text" </dev/null
    patiently gcloud iam service-accounts add-iam-policy-binding "distrise-$name@$PROJECT.iam.gserviceaccount.com" \
      --project="$PROJECT" --member="serviceAccount:$deployer" --role=roles/iam.serviceAccountUser \
      --condition=None --format=none --quiet </dev/null
  done <"$here/deploy/accounts.txt"
}

# Roles for the services where Google's own are too wide. Made here: who may change a custom role
# may give itself what it likes.
custom_roles() {
  local id permissions verb
  while read -r id permissions; do
    verb=create
    if gcloud iam roles describe "$id" --project="$PROJECT" --format=none </dev/null >/dev/null 2>&1; then
      verb=update
    fi
    gcloud iam roles "$verb" "$id" --project="$PROJECT" --title="Distrise: ${id#distrise}" \
      --permissions="$permissions" --stage=GA --format=none --quiet </dev/null
  done <"$here/deploy/custom-roles.txt"
}

bucket() {
  gcloud storage buckets describe "$1" --format='value(name)' >/dev/null 2>&1 ||
    gcloud storage buckets create "$1" --project="$PROJECT" --location="$REGION" \
      --uniform-bucket-level-access --public-access-prevention
  patiently gcloud storage buckets add-iam-policy-binding "$1" --member="serviceAccount:$deployer" \
    --role="$2" --format=none
}

prepare() {
  local apis role condition regions
  check_billing
  mapfile -t apis <"$here/deploy/apis.txt"
  gcloud services enable "${apis[@]}" --project="$PROJECT" ||
    stop 'The APIs could not be enabled. Has the project a billing account, and are you its owner?'
  regions=$(gcloud artifacts locations list --project="$PROJECT" --format='value(name)') ||
    stop 'The regions of Artifact Registry cannot be listed.'
  in_region 'Artifact Registry' "$regions"
  check_region

  account distrise-deployer 'Distrise: the deployer' ''
  take_back
  while read -r role; do
    grant --role="$role" --condition=None
  done <"$here/deploy/roles.txt"
  # A file, not a pipe: a gcloud that ends before it has read a pipe would end this script as well.
  condition=$(mktemp)
  grants_condition >"$condition"
  grant --role=roles/resourcemanager.projectIamAdmin --condition-from-file="$condition"
  rm -f "$condition"
  accounts_of_services
  custom_roles

  bucket "$state" roles/storage.objectAdmin
  # Preflight looks at the bucket itself, which that role does not include.
  bucket "$state" roles/storage.legacyBucketReader
  gcloud storage buckets update "$state" --versioning
  bucket "$source" roles/storage.objectViewer
  bucket "$archive" roles/storage.legacyBucketOwner

  gcloud artifacts repositories describe distrise --project="$PROJECT" --location="$REGION" \
    --format=none >/dev/null 2>&1 ||
    gcloud artifacts repositories create distrise --project="$PROJECT" --location="$REGION" \
      --repository-format=docker --description='The image of Distrise'
  patiently gcloud artifacts repositories add-iam-policy-binding distrise --project="$PROJECT" --location="$REGION" \
    --member="serviceAccount:$deployer" --role=roles/artifactregistry.writer --format=none --quiet

  # Cloud SQL's, Pub/Sub's and Cloud Run's own accounts come to be with the first use otherwise,
  # and Terraform gives a role to that of Pub/Sub.
  gcloud beta services identity create --service=pubsub.googleapis.com --project="$PROJECT" --format=none

  [[ -n $stands && ${#changes[@]} == 0 ]] || write_choices
}

# Deletes those of some names that are there: delete_those NAMES WHERE LISTED-AS COMMAND…
delete_those() {
  local names=$1 where=$2 as=$3 there name
  shift 3
  there=$(gcloud "$@" list --project="$PROJECT" "$where" --format="value($as)") ||
    stop "What there is cannot be listed: gcloud $* list" 'Then run the same command again.'
  for name in $names; do
    grep -qxF "$name" <<<"$there" || continue
    gcloud "$@" delete "$name" --project="$PROJECT" "$where" --quiet ||
      stop "$name could not be deleted." 'Run the same command again; what is gone is gone.'
  done
}

# What runs and costs, but nothing that holds an event, a key or a setting.
take_down() {
  local name instances
  delete_those 'fetch upkeep probe' "--location=$REGION" 'name.basename()' scheduler jobs
  delete_those 'relay fetch upkeep probe store' "--region=$REGION" metadata.name run services
  delete_those 'check health migrate' "--region=$REGION" metadata.name run jobs
  delete_those follow "--region=$REGION" metadata.name beta run worker-pools
  # Replicas first: with one a database cannot be stopped, and nothing is lost with it.
  instances=$(gcloud sql instances list --project="$PROJECT" --filter='name~^distrise AND instanceType!=CLOUD_SQL_INSTANCE' \
    --format='value(name)') || stop 'The replicas cannot be listed.' 'Then run the same command again.'
  for name in $instances; do
    gcloud sql instances delete "$name" --project="$PROJECT" --quiet ||
      stop "The replica $name could not be deleted." 'Run the same command again.'
  done
  # The one in use, and those that restore.sh left.
  instances=$(gcloud sql instances list --project="$PROJECT" --filter='name~^distrise AND instanceType=CLOUD_SQL_INSTANCE' \
    --format='value(name)') || stop 'The databases cannot be listed.' 'Then run the same command again.'
  for name in $instances; do
    gcloud sql instances patch "$name" --project="$PROJECT" --activation-policy=NEVER --quiet ||
      stop "The database $name could not be stopped." 'Run the same command again.'
  done
}

if [[ -n $destroy && -n $data ]]; then
  printf 'This deletes the project %s (%s) with everything in it: events, backups, keys.\n' "$PROJECT" "$number"
  ask 'Type the id of the project if that is what you want:' "$PROJECT"
  gcloud projects delete "$PROJECT" --quiet
  printf 'Gone. For 30 days it comes back by: gcloud projects undelete %s\n' "$PROJECT"
elif [[ -n $destroy ]]; then
  printf '%s\n' "This stops Distrise in $PROJECT ($REGION): services, jobs and schedules are deleted," \
    'the database is stopped. Events, backups, the queue (7 days), keys and settings stay, and the disk' \
    'of the database still costs. A new deployment brings all of it back.'
  [[ $DATABASE == distrise ]] || printf 'The database in use is %s; those that it replaced are stopped too.\n' "$DATABASE"
  ask 'Type yes to go on:' yes
  take_down
  printf 'Stopped. To delete the data as well: infra/bootstrap.sh --project=%s --destroy --and-data\n' "$PROJECT"
else
  printf '%s\n' "In the project $PROJECT ($number), region $REGION, this" \
    "- enables $(wc -l <"$here/deploy/apis.txt") APIs (infra/deploy/apis.txt)," \
    "- makes the account $deployer with the roles of infra/deploy/roles.txt, and takes" \
    '  from it what an earlier version gave; it can do much here, so keep who may act as it few,' \
    "- makes the accounts of the services and two custom roles (infra/deploy/accounts.txt, custom-roles.txt)," \
    "- makes the buckets $state (Terraform's state, with versions), $source" \
    "  and $archive (for the archive, empty unless it is turned on)," \
    '- makes the repository distrise in Artifact Registry,' \
    "- has every build make the profile $PROFILE${DOMAIN:+ at $DOMAIN} (environment $ENVIRONMENT)." \
    "${changes[@]/#/CHANGES }"
  ask 'Type yes to go on:' yes
  prepare
  printf '\nReady. Now:\n  gcloud builds submit --project=%s\n' "$PROJECT"
fi
