-- Q12 [local join, then aggregate] Share of relief cases with a drug or alcohol need, by age band (join never leaves a node)
SELECT h.age_band, COUNT(*) AS cases,
       SUM(CASE WHEN n.case_id IS NOT NULL THEN 1 ELSE 0 END) AS with_need,
       ROUND(100.0 * SUM(CASE WHEN n.case_id IS NOT NULL THEN 1 ELSE 0 END) / COUNT(*), 1) AS pct
FROM homelessness_case h
LEFT JOIN (SELECT DISTINCT node, case_id FROM case_support_need WHERE need IN ('Drug dependency needs','Alcohol dependency needs')) n
       ON n.node = h.node AND n.case_id = h.case_id
WHERE h.duty = 'relief' GROUP BY h.age_band ORDER BY h.age_band;
