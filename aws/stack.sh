# Sourced by ci/release and aws/rollback: what the CloudFormation stack made, and how to bring a version to one of its
# environments. No secret is ever printed: `aws` answers into variables, and what is shown is named here.
# shellcheck shell=bash disable=SC2034

STACK="${STACK:-spiral}"
# Answers come as text, and no pager waits for a key.
export AWS_PAGER='' AWS_DEFAULT_OUTPUT=text AWS_RETRY_MODE=standard AWS_MAX_ATTEMPTS="${AWS_MAX_ATTEMPTS:-5}"

# read_stack: sets APPLICATION, BUCKET, WEB_ENVIRONMENT, WORKER_ENVIRONMENT, URL and, where there is one, SPIRAL_TOKEN.
read_stack() {
    require_program aws "pip install awscli, or https://docs.aws.amazon.com/cli"
    require AWS_DEFAULT_REGION "the region of the stack, such as eu-central-1"
    local name value outputs token_secret=''
    outputs="$(aws cloudformation describe-stacks --stack-name "$STACK" \
        --query 'Stacks[0].Outputs[].[OutputKey,OutputValue]')"
    while IFS=$'\t' read -r name value; do
        case "$name" in
            Application) APPLICATION="$value" ;;
            Bucket) BUCKET="$value" ;;
            WebEnvironment) WEB_ENVIRONMENT="$value" ;;
            WorkerEnvironment) WORKER_ENVIRONMENT="$value" ;;
            Url) URL="${URL:-$value}" ;;
            TokenSecret) token_secret="$value" ;;
        esac
    done <<<"$outputs"
    for name in APPLICATION BUCKET WEB_ENVIRONMENT WORKER_ENVIRONMENT URL; do
        require "$name" "an output of the stack $STACK, which does not have it: is it made from aws/template.yaml?"
    done
    if [[ -z ${SPIRAL_TOKEN:-} && -n $token_secret ]]; then
        SPIRAL_TOKEN="$(aws secretsmanager get-secret-value --secret-id "$token_secret" --query SecretString)"
    fi
    export SPIRAL_TOKEN
}

# environment_of web|worker
environment_of() {
    if [[ $1 == web ]]; then echo "$WEB_ENVIRONMENT"; else echo "$WORKER_ENVIRONMENT"; fi
}

# environment NAME: its status, version and health, on one line.
environment() {
    aws elasticbeanstalk describe-environments --application-name "$APPLICATION" --environment-names "$1" \
        --no-include-deleted --query 'Environments[0].[Status,VersionLabel,Health]'
}

# deploy web|worker VERSION: brings the version there and waits until the environment is Green with it.
deploy() {
    local name version="$2" status running health last='' end
    name="$(environment_of "$1")"
    if ! aws elasticbeanstalk update-environment --application-name "$APPLICATION" --environment-name "$name" \
        --version-label "$version" >/dev/null; then
        return 1
    fi
    end=$((SECONDS + ${RELEASE_SECONDS:-1800}))
    while true; do
        # One look that fails is no verdict.
        if IFS=$'\t' read -r status running health <<<"$(environment "$name")" && [[ -n $status ]]; then
            if [[ "$status $running $health" != "$last" ]]; then
                last="$status $running $health"
                echo "$name: $status, $running, $health."
            fi
            if [[ $status == Ready && $running != "$version" ]]; then
                echo "$name: Elastic Beanstalk gave $version up." >&2
                break
            fi
            if [[ $status == Ready && $health == Green ]]; then
                return 0
            fi
        fi
        if ((SECONDS >= end)); then
            echo "$name: not Green with $version within ${RELEASE_SECONDS:-1800} s." >&2
            break
        fi
        sleep "${POLL_SECONDS:-15}"
    done
    events "$name"
    return 1
}

# events NAME: what went wrong, as Elastic Beanstalk tells it.
events() {
    aws elasticbeanstalk describe-events --application-name "$APPLICATION" --environment-name "$1" \
        --severity WARN --max-items 10 --query 'Events[].[EventDate,Severity,Message]' >&2 || true
}
