-- Q04 [multi-group] New / living on the streets / intermittent by inner and outer London and quarter
SELECT b.inner_outer, date_trunc('quarter', r.contact_date) AS quarter, r.category, COUNT(DISTINCT r.person_key) AS people
FROM rough_sleeping_contact r JOIN ref_borough b ON b.gss = r.borough_gss
GROUP BY b.inner_outer, date_trunc('quarter', r.contact_date), r.category
ORDER BY 2, 1, 3;
