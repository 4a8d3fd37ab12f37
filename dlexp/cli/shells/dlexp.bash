# Completion of `dlexp` in bash (3.2 or later). In ~/.bashrc: eval "$(dlexp completion bash)"

_dlexp() {
    local line=${COMP_LINE:0:COMP_POINT} word words=() n=0 i
    # bash splits words at = and : too; here a word ends at a blank
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((i == 0)) || [[ $line == [[:blank:]]* ]]; then
            n=$((n + 1))
            line=${line#"${line%%[![:blank:]]*}"}
        fi
        ((i == COMP_CWORD)) && word=$line # as far as the cursor
        words[n - 1]=${words[n - 1]-}$word
        line=${line#"$word"}
    done
    local current=${words[n - 1]} command=${words[0]/#\~/$HOME} unquoted=() quote=''
    for word in "${words[@]:1}"; do
        # a quote that is not closed yet belongs to the shell
        [[ $word == [\'\"]* && $word != *[\'\"] ]] && quote=${word:0:1} word=${word:1}
        word=${word//[\'\"]/}
        unquoted+=("${word//\\/}")
    done
    [[ $n -gt 1 ]] || return
    # what bash leaves in place: all up to the last = or :
    local kept='' plain=${current#"$quote"}
    if [[ -z $quote && $plain == *[=:]* && $COMP_WORDBREAKS == *=* && $COMP_WORDBREAKS == *:* ]]; then
        kept=${plain%"${plain##*[=:]}"}
    elif [[ -z $quote && $plain == *=* && $COMP_WORDBREAKS == *=* ]]; then
        kept=${plain%"${plain##*=}"}
    fi
    COMPREPLY=()
    while IFS= read -r word; do
        word=${word%%$'\t'*}
        word=${word#"$kept"}
        case $word in
        *[=./]) ;;
        *) [[ $quote ]] || word+=' ' ;;
        esac
        COMPREPLY+=("$word")
    done < <("$command" completion bash -- "${unquoted[@]}" 2>/dev/null)
}

# where there is nothing to propose, bash proposes files
complete -o default -o nospace -F _dlexp dlexp
