-- Days on which one principal did what attackers do: the view policy_attack_patterns, over what the filter lets through.
SELECT
    year || '-' || month || '-' || day AS day,
    principal,
    pattern,
    changes,
    attempts,
    violations,
    accounts,
    source_addresses
FROM patterns
ORDER BY changes DESC, source_addresses DESC, attempts DESC, day, principal
LIMIT 200
