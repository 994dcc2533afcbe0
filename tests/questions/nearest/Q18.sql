-- nearest to Q18: the same of children who live and learn in one borough
SELECT phase, children, children * CASE WHEN phase = 'Primary' THEN 1515 ELSE 1075 END AS pounds
FROM (SELECT s.phase, COUNT(*) AS children
      FROM benefit_child b JOIN school_census_pupil p ON p.node = b.node AND p.child_key = b.child_key
      JOIN ref_school s ON s.urn = p.school_urn
      WHERE b.fsm_entitled AND NOT p.fsm_claimed AND p.census_date = DATE '2026-01-15' AND b.as_of = DATE '2026-01-01'
      GROUP BY s.phase) t
ORDER BY phase;
