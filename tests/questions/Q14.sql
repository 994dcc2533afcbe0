-- Q14 [local count of cross-border pupils] How many pupils attend school outside their home borough, by school borough and phase?
SELECT p.school_gss, s.phase, COUNT(*) AS pupils,
       SUM(CASE WHEN p.home_gss <> p.school_gss THEN 1 ELSE 0 END) AS from_outside,
       ROUND(100.0 * SUM(CASE WHEN p.home_gss <> p.school_gss THEN 1 ELSE 0 END) / COUNT(*), 1) AS pct_outside
FROM school_census_pupil p JOIN ref_school s ON s.urn = p.school_urn
WHERE p.census_date = DATE '2026-01-15'
GROUP BY p.school_gss, s.phase ORDER BY 1, 2;
